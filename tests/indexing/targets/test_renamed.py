"""A target with the first names of the protocols' methods works as before, and is told so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import MockEmbedding, VectorStoreIndex

from managed_sync.documents import Chunk
from managed_sync.indexing import InspectableTarget, RelabelingTarget
from managed_sync.indexing.targets.renamed import inspectable_target, metadata_target
from managed_sync.langchain import LangChainTarget
from managed_sync.llama_index import LlamaIndexTarget
from tests.support.index_target import AbleTarget, Target
from tests.support.indexing import run, syncing
from tests.support.record_source import ChangingSource


class FirstNames(Target):
    """A target that was written for the first names."""

    can_relabel = True
    relabeled = 0

    def embedded_text(self, chunk: Chunk) -> str:
        return chunk.text

    def relabel(self, chunks: Sequence[Chunk]) -> None:
        self.relabeled += len(chunks)
        self.chunks |= {chunk.chunk_id: chunk for chunk in chunks}

    def held(self, chunk_ids: Collection[str]) -> set[str]:
        return set(chunk_ids) & set(self.chunks)

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return iter(sorted(self.chunks))


class OfTheProtocols(FirstNames, RelabelingTarget, InspectableTarget):
    """The same, derived from the protocols, which have methods without a body."""


class Derived(AbleTarget):
    """A target of today with an override under a first name."""

    def held(self, chunk_ids: Collection[str]) -> set[str]:
        return {"of the override"}


@pytest.mark.filterwarnings("ignore:.* is called .* now; rename it:DeprecationWarning")
@pytest.mark.parametrize("kind", [FirstNames, OfTheProtocols])
def test_a_target_with_the_first_names_is_updated_and_verified(
    kind: type[FirstNames], ledger: Path
) -> None:
    source, target = ChangingSource(a="One.", b="Two."), kind()
    with pytest.warns(DeprecationWarning, match="relabel is called update_metadata now"):
        run(source, target, ledger)
    source.move("a", "elsewhere")
    source.write("a", "One.")
    target.embedded.clear()

    with pytest.warns(DeprecationWarning, match="held is called existing_ids now"):
        run(source, target, ledger)
    assert (target.relabeled, target.embedded) == (1, [])
    target.chunks.pop(next(iter(target.chunks)))
    report = syncing(source, target, ledger).verify(integration="box", sync_type="files")

    assert report.missing_chunks == 1


def test_an_override_under_a_first_name_is_not_passed_over() -> None:
    with pytest.warns(DeprecationWarning, match=r"Derived\.held"):
        found = inspectable_target(Derived())

    assert found is not None
    assert found.existing_ids(["a"]) == {"of the override"}


def test_a_target_of_today_is_taken_as_it_is_and_one_without_abilities_has_none() -> None:
    target = AbleTarget()

    assert metadata_target(target) is target
    assert inspectable_target(target) is target
    assert metadata_target(Target()) is None
    assert inspectable_target(Target()) is None


class PassingOn:
    """A wrapper that defines nothing itself."""

    def __init__(self, inner: Target) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def test_a_wrapper_of_a_target_with_the_first_names_is_recognized() -> None:
    with pytest.warns(DeprecationWarning, match="relabel is called update_metadata now"):
        assert metadata_target(PassingOn(FirstNames())) is not None
    with pytest.warns(DeprecationWarning, match="held is called existing_ids now"):
        assert inspectable_target(PassingOn(FirstNames())) is not None


class LoggedLangChain(LangChainTarget):
    """A subclass that was written for the first names."""

    calls = 0

    def held(self, chunk_ids: Sequence[str]) -> Set[str] | None:
        self.calls += 1
        return super().held(chunk_ids)

    def relabel(self, chunks: Sequence[Chunk]) -> None:
        self.calls += 1
        super().relabel(chunks)


class LoggedLlamaIndex(LlamaIndexTarget):
    """A subclass that was written for the first names."""

    calls = 0

    def held(self, chunk_ids: Sequence[str]) -> Set[str] | None:
        self.calls += 1
        return super().held(chunk_ids)

    def relabel(self, chunks: Sequence[Chunk]) -> None:
        self.calls += 1
        super().relabel(chunks)


@pytest.mark.filterwarnings("ignore:.* is called .* now:DeprecationWarning")
@pytest.mark.parametrize(
    "target",
    [
        LoggedLangChain(InMemoryVectorStore(DeterministicFakeEmbedding(size=8))),
        LoggedLlamaIndex(VectorStoreIndex([], embed_model=MockEmbedding(8))),
    ],
)
def test_a_subclass_of_our_target_may_override_the_first_names(target: Any, ledger: Path) -> None:
    source = ChangingSource(a="One.")
    run(source, target, ledger)
    source.move("a", "elsewhere")

    report = run(source, target, ledger)

    assert (report.updated, report.failed) == (1, ())
    assert target.calls


class RelabelsOtherThings(Target):
    """A target whose method of the first name has another meaning."""

    def relabel(self, *arguments: object) -> None:
        raise AssertionError(arguments)


def test_a_method_of_the_first_name_alone_is_not_the_protocol() -> None:
    assert metadata_target(RelabelsOtherThings()) is None


class CannotRelabel(LangChainTarget):
    """A subclass that turns the updating of metadata off under its first name."""

    can_relabel = False


@pytest.mark.filterwarnings("ignore:.* is called .* now:DeprecationWarning")
def test_a_subclass_of_our_target_may_turn_the_first_name_off() -> None:
    target = CannotRelabel(InMemoryVectorStore(DeterministicFakeEmbedding(size=8)))

    found = metadata_target(target)

    assert found is not None
    assert not found.can_update_metadata
