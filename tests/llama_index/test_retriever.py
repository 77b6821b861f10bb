"""The LlamaIndex retriever: who asks, what comes back, and what never does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from llama_index.core import Settings, VectorStoreIndex
from llama_index.core.chat_engine import ContextChatEngine
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import IndexNode, NodeWithScore, TextNode

from managed_sync import AccessCheck, AccessChecker, acting_as
from managed_sync.errors import (
    AccessCheckError,
    ConfigurationError,
    InvalidIdentifierError,
    MissingSubjectError,
)
from managed_sync.llama_index import PermissionAwareRetriever

ALICE, BOB, NOBODY = "alice@x.example", "bob@x.example", "nobody@x.example"


class EvenAndOdd:
    """Alice may read even objects, Bob odd ones."""

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        return [
            check.subject in {ALICE, BOB}
            and int(check.object.removeprefix("file:")) % 2 == (check.subject == BOB)
            for check in checks
        ]


class Broken:
    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        raise TimeoutError


@pytest.fixture(autouse=True)
def _no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_llm", MockLLM())
    monkeypatch.setattr(Settings, "_embed_model", MockEmbedding(embed_dim=8))


def passage(number: int) -> TextNode:
    return TextNode(
        id_=f"c{number}", text=f"passage {number}", metadata={"object_id": f"file:{number}"}
    )


@pytest.fixture
def index() -> VectorStoreIndex:
    nodes = [passage(number) for number in range(100)]
    nodes += [TextNode(text="nobody's passage"), TextNode(text="q", metadata={"object_id": 7})]
    return VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=8))


@pytest.fixture
def retriever(index: VectorStoreIndex) -> PermissionAwareRetriever:
    return PermissionAwareRetriever(index, checker=AccessChecker(EvenAndOdd()), k=60)


def numbers(nodes: Sequence[NodeWithScore]) -> list[int]:
    return sorted(int(scored.node.metadata["object_id"].removeprefix("file:")) for scored in nodes)


EVEN, ODD = list(range(0, 100, 2)), list(range(1, 100, 2))


def test_each_user_gets_all_that_they_may_read_and_nothing_else(
    retriever: PermissionAwareRetriever,
) -> None:
    with acting_as(ALICE):
        assert numbers(retriever.retrieve("q")) == EVEN
        assert numbers(asyncio.run(retriever.aretrieve("q"))) == EVEN
    assert numbers(retriever.for_subject(BOB).retrieve("q")) == ODD
    nodes, report = retriever.retrieve_with_report("q", subject=NOBODY)
    assert nodes == []
    assert (report.withheld, report.unidentified, report.complete) == (100, 2, True)


def test_without_a_subject_it_raises(retriever: PermissionAwareRetriever) -> None:
    with pytest.raises(MissingSubjectError):
        retriever.retrieve("q")
    with pytest.raises(MissingSubjectError):
        asyncio.run(retriever.aretrieve("q"))
    with pytest.raises(MissingSubjectError):
        retriever.for_subject("")
    lost: Any = None
    with acting_as(ALICE), pytest.raises(MissingSubjectError):
        retriever.retrieve_with_report("q", subject=lost)
    wrong: Any = 7
    with pytest.raises(InvalidIdentifierError):
        retriever.retrieve_with_report("q", subject=wrong)


def test_a_bound_retriever_does_not_serve_another_subject(
    retriever: PermissionAwareRetriever,
) -> None:
    bound = retriever.for_subject(ALICE)

    with acting_as(BOB):
        assert numbers(bound.retrieve("q")) == EVEN
    with pytest.raises(ConfigurationError):
        bound.retrieve_with_report("q", subject=BOB)


def test_a_broken_permission_service_raises(index: VectorStoreIndex) -> None:
    broken = PermissionAwareRetriever(index, checker=AccessChecker(Broken()))

    with acting_as(ALICE):
        with pytest.raises(AccessCheckError):
            broken.retrieve("q")
        with pytest.raises(AccessCheckError):
            asyncio.run(broken.aretrieve("q"))


def test_an_allowed_node_that_stands_for_a_forbidden_one_does_not_let_it_in(
    index: VectorStoreIndex,
) -> None:
    forbidden = passage(1)
    index.insert_nodes(
        [IndexNode(text="door", index_id="x", obj=forbidden, metadata={"object_id": "file:2"})]
    )
    everything = PermissionAwareRetriever(index, checker=AccessChecker(EvenAndOdd()), k=200)

    with acting_as(ALICE):
        assert set(numbers(everything.retrieve("q"))) == set(EVEN)
        assert set(numbers(asyncio.run(everything.aretrieve("q")))) == set(EVEN)


def test_it_serves_a_query_engine_and_a_chat_engine(retriever: PermissionAwareRetriever) -> None:
    query_engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    chat_engine = ContextChatEngine.from_defaults(retriever=retriever, llm=MockLLM())

    with acting_as(ALICE):
        assert numbers(query_engine.query("q").source_nodes) == EVEN
        assert numbers(chat_engine.chat("q").source_nodes) == EVEN
    with pytest.raises(MissingSubjectError):
        query_engine.query("q")
    with pytest.raises(MissingSubjectError):
        chat_engine.chat("q")


@pytest.mark.parametrize("size", ["k", "overfetch", "max_candidates"])
def test_sizes_below_one_are_refused(index: VectorStoreIndex, size: str) -> None:
    sizes: Any = {size: 0}
    with pytest.raises(ConfigurationError, match=size):
        PermissionAwareRetriever(index, checker=AccessChecker(EvenAndOdd()), **sizes)
