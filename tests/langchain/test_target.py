"""A LangChain vector store as the target of an index."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync.documents import Chunk
from managed_sync.errors import IndexingError
from managed_sync.langchain import LangChainTarget


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
