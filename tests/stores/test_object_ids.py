"""A collection whose metadata name objects otherwise: every store filters by their field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync import AccessChecker, ObjectIdField
from managed_sync.documents import ChunkPlace
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.langchain.stores.in_memory import InMemoryAdapter
from managed_sync.retrieval.effects import Inspect, Strategy
from managed_sync.stores.neighbors import StoreNeighbors
from tests.stores.chunks import IDS
from tests.stores.filled_stores import FilledStore
from tests.support.passages import InOrder
from tests.support.permission_service import FakePermissionService

QUERY = "a question about the harbour"
# Every chunk is an object of its own, under another name than in the store.
FIELD = ObjectIdField("chunk_id", add_prefix="page:")
READABLE = IDS[::50]
K = 4


def retriever_of(store: FilledStore, **settings: Any) -> PermissionAwareRetriever:
    service = FakePermissionService(*(f"page:{each}" for each in READABLE))
    return PermissionAwareRetriever(
        vectorstore=store.vectorstore,
        checker=AccessChecker(service, list_limit=None),
        bound_subject="a@x.example",
        k=K,
        **settings,
    )


@pytest.mark.parametrize("strategy", ["auto", "pre_filter"])
def test_a_user_who_may_read_little_gets_the_best_of_it(
    store: FilledStore, strategy: Strategy
) -> None:
    retriever = retriever_of(store, object_id=FIELD, strategy=strategy)
    documents, report = retriever.retrieve_with_report(QUERY)
    found = [document.metadata["chunk_id"] for document in documents]

    assert set(found) <= set(READABLE)
    assert report.complete or not store.exact
    assert not report.filter_ignored
    if report.complete:
        assert found == [each for each in store.ranking(QUERY) if each in READABLE][:K]
    if strategy == "pre_filter":
        assert report.strategy == "pre_filter"
        assert len(found) == K or not store.exact, "the filter missed chunks"


def test_a_function_is_never_taken_for_a_filter(store: FilledStore) -> None:
    retriever = retriever_of(store, object_id=lambda metadata: f"page:{metadata['chunk_id']}")
    documents, report = retriever.retrieve_with_report(QUERY)
    found = [document.metadata["chunk_id"] for document in documents]

    assert set(found) <= set(READABLE)
    assert report.strategy == "post_filter"
    assert report.complete or not store.exact
    if report.complete:
        assert found == [each for each in store.ranking(QUERY) if each in READABLE][:K]
    # A count of chunks by a field that they lack would make any result look whole.
    adapter = retriever._search.adapter  # type: ignore[union-attr]
    assert adapter.reach(Inspect(("page:1",), count=True), {}).chunks is None


@pytest.mark.parametrize("name", ["a-b", "a.b", "$in", "x) OR (1=1", "in", "größe"])
def test_a_name_that_a_store_would_read_otherwise_is_not_filtered_by(
    store: FilledStore, name: str
) -> None:
    retriever = retriever_of(store, object_id=name)
    documents, report = retriever.retrieve_with_report(QUERY)
    assert documents == []
    assert report.strategy == "post_filter" or store.name in {
        "in_memory",
        "faiss_flat",
        "faiss_hnsw",
    }


class Mixing(InMemoryAdapter):
    """Finds chunks of every object, whichever is asked for."""

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return iter(self._store.store)


def test_neighbors_that_a_store_finds_in_another_object_are_left_out() -> None:
    store = InMemoryVectorStore(InOrder())
    own = [{"source": source, "chunk_index": n} for n, source in enumerate(["1", "1", "2"])]
    store.add_documents([Document(f"passage {n}", metadata=each) for n, each in enumerate(own)])
    adapter = Mixing(store, is_original=True)
    adapter.object_ids = ObjectIdField("source", add_prefix="file:")
    found = StoreNeighbors(adapter).neighbors(ChunkPlace("file:1", 1), 1)
    assert [chunk.text for chunk in found] == ["passage 0"]
