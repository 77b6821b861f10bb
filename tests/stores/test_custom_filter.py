"""A user's own callable is an object filter."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync.retrieval.object_filter import CustomObjectFilter, ObjectFilter
from tests.stores.chunks import CHUNKS, OBJECTS, ranking_within
from tests.support.hash_embeddings import HashEmbeddings


def by_metadata(object_ids: Sequence[str]) -> dict[str, object]:
    def is_wanted(document: Document) -> bool:
        return document.metadata["object_id"] in object_ids

    return {"filter": is_wanted}


def test_a_callable_is_enough() -> None:
    object_filter: ObjectFilter = CustomObjectFilter(by_metadata)
    vectorstore = InMemoryVectorStore(HashEmbeddings())
    vectorstore.add_documents(CHUNKS)
    found = vectorstore.similarity_search("When?", k=8, **object_filter.search_kwargs(OBJECTS[:2]))
    assert [document.id for document in found] == ranking_within("When?", set(OBJECTS[:2]))[:8]


def test_it_is_not_taken_for_exact_unless_it_says_so() -> None:
    assert not CustomObjectFilter(by_metadata).exact
    assert CustomObjectFilter(by_metadata, exact=True).exact


def test_it_is_recognised_as_an_object_filter() -> None:
    assert isinstance(CustomObjectFilter(by_metadata, max_objects=100), ObjectFilter)
