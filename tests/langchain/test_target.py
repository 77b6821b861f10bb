"""A LangChain vector store as the target of an index."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding

from managed_sync import IndexSync
from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError, IndexingError
from managed_sync.langchain import LangChainTarget
from tests.support.indexing import AT_ONCE
from tests.support.record_source import ChangingSource


def chunk(number: int, text: str = "text") -> Chunk:
    return Chunk(text, {"object_id": "file:1", "chunk_id": f"c{number}", "chunk_index": number})


@pytest.fixture
def store() -> InMemoryVectorStore:
    return InMemoryVectorStore(DeterministicFakeEmbedding(size=8))


def test_chunks_are_written_under_their_ids_replaced_and_removed(
    store: InMemoryVectorStore,
) -> None:
    target = LangChainTarget(store)

    target.upsert([chunk(1), chunk(2)])
    target.upsert([chunk(2, "new text")])
    target.delete(["c1", "c9"])

    assert list(store.store) == ["c2"]
    assert store.store["c2"]["text"] == "new text"
    assert store.store["c2"]["metadata"]["object_id"] == "file:1"


def test_a_store_is_no_target_itself(store: InMemoryVectorStore) -> None:
    own: Any = store
    other: Any = VectorStoreIndex([], embed_model=MockEmbedding(embed_dim=8))
    source: Any = None
    for target, name, advice in [
        (own, "InMemoryVectorStore", "Pass LangChainTarget(store)."),
        (other, "VectorStoreIndex", "Pass LlamaIndexTarget(index)."),
        (source, "NoneType", "Pass one of these."),
    ]:
        with pytest.raises(ConfigurationError, match=r"^target must be") as raised:
            IndexSync(source, target, ledger="unused.db")
        assert str(raised.value).endswith(f"got {name}. {advice}")


def test_an_index_of_the_other_framework_is_refused_by_name() -> None:
    index: Any = VectorStoreIndex([], embed_model=MockEmbedding(embed_dim=8))
    with pytest.raises(ConfigurationError, match=r"got VectorStoreIndex. Pass LlamaIndexTarget\("):
        LangChainTarget(index)


@pytest.mark.parametrize("confirmed", [[], ["c1"], ["x1", "x2"]])
def test_a_store_that_does_not_confirm_every_chunk_is_an_error(
    monkeypatch: pytest.MonkeyPatch, store: InMemoryVectorStore, confirmed: list[str]
) -> None:
    def add_documents(documents: list[Document], **_: Any) -> list[str]:
        return confirmed

    monkeypatch.setattr(store, "add_documents", add_documents)

    with pytest.raises(IndexingError, match="confirmed"):
        LangChainTarget(store).upsert([chunk(1), chunk(2)])


def test_a_store_that_does_not_delete_is_an_error(
    monkeypatch: pytest.MonkeyPatch, store: InMemoryVectorStore
) -> None:
    monkeypatch.setattr(store, "delete", lambda ids: False)

    with pytest.raises(IndexingError, match="not delete"):
        LangChainTarget(store).delete(["c1"])


class OnItsServer(InMemoryVectorStore):
    """A store whose model cannot be replaced, as with one that embeds on its server."""

    @property
    def embeddings(self) -> None:  # type: ignore[override]
        return None


def test_a_store_that_embeds_on_its_server_embeds_the_stored_text_and_says_so(
    store: InMemoryVectorStore,
) -> None:
    remote = OnItsServer(store.embedding)
    one = Chunk("text", {**chunk(1).metadata, "title": "Plan", "heading": "Goals"})

    assert LangChainTarget(remote).embedded_text(one) == "text"
    assert LangChainTarget(remote).embedded_parts == "text"
    assert LangChainTarget(remote, embeds=()).embedded_text(one) == "text"
    with pytest.raises(ConfigurationError, match="OnItsServer embeds the stored text itself"):
        LangChainTarget(remote, embeds=("title",))


def test_writers_of_the_same_text_with_other_titles_wait_for_each_other() -> None:
    class Pausing(InMemoryVectorStore):
        """Lets another writer come while it writes its first chunk."""

        others: list[threading.Thread]

        def add_documents(
            self, documents: list[Document], ids: list[str] | None = None, **kwargs: Any
        ) -> list[str]:
            if self.others:
                other = self.others.pop()
                other.start()
                other.join(0.05)
            return super().add_documents(documents, ids, **kwargs)

    store = Pausing(DeterministicFakeEmbedding(size=8))
    target = LangChainTarget(store)
    both = [Chunk("text", {**chunk(n).metadata, "title": f"Plan {n}"}) for n in (1, 2)]
    other = threading.Thread(target=target.upsert, args=([both[1]],))
    store.others = [other]

    target.upsert([both[0]])
    other.join()

    assert [store.store[key]["vector"] for key in ("c1", "c2")] == target.embed(both)
    assert isinstance(store.embedding, DeterministicFakeEmbedding), "the store has its model again"


def test_a_title_goes_into_the_vector_and_a_url_does_not(
    store: InMemoryVectorStore, tmp_path: Path
) -> None:
    source = ChangingSource(a="One.", b="Two.")
    sync = IndexSync(source, LangChainTarget(store), tmp_path / "ledger.db", retries=AT_ONCE)
    sync.run(integration="box", sync_type="files")
    source.move("a", "elsewhere")

    moved = sync.run(integration="box", sync_type="files")
    source.rename("b", "c.txt")
    renamed = sync.run(integration="box", sync_type="files")

    assert (moved.updated, moved.chunks_embedded) == (1, 0)
    assert (renamed.updated, renamed.chunks_embedded) == (1, 1)
    assert sync.verify(integration="box", sync_type="files").agrees
