"""The retriever over every store: the best that may be read, by each strategy."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from managed_sync import AccessChecker
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.langchain.stores import adapter_of
from managed_sync.retrieval.effects import Strategy
from tests.stores.chunks import CHUNKS, METADATA, NUMBER_OF, OBJECT_OF
from tests.stores.filled_stores import FilledStore
from tests.support.fused_oracle import best_fused
from tests.support.hash_embeddings import HashEmbeddings
from tests.support.keywords import BM25, KeywordPassage
from tests.support.permission_service import CheckingService, FakePermissionService

K = 6
OBJECTS = sorted({metadata["object_id"] for metadata in METADATA})
QUERIES = ["a question about the harbour", "another one", "Ω"]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("strategy", ["auto", "post_filter", "pre_filter"])
@pytest.mark.parametrize("readable", [0, 1, 4, 20, 40])
def test_a_user_gets_the_best_of_what_they_may_read(
    store: FilledStore, strategy: Strategy, readable: int
) -> None:
    service = FakePermissionService(
        *(OBJECTS[:: max(1, 40 // readable)][:readable] if readable else [])
    )
    retriever = PermissionAwareRetriever(
        vectorstore=store.vectorstore,
        # The service never cuts its lists off.
        checker=AccessChecker(service, list_limit=None),
        k=K,
        strategy=strategy,
        bound_subject="a@x.example",
    )
    for query in QUERIES:
        documents, report = retriever.retrieve_with_report(query)
        if store.asynchronous:
            again, _ = asyncio.run(retriever.aretrieve_with_report(query))
            assert [one.metadata["chunk_id"] for one in again] == [
                one.metadata["chunk_id"] for one in documents
            ]
        found = [document.metadata["chunk_id"] for document in documents]

        assert {document.metadata["object_id"] for document in documents} <= service.everybody
        best = store.ranking_within(query, service.everybody)[:K]
        # Approximate search may miss some, and must not say that it has not.
        assert report.complete or not store.exact
        if report.complete:
            assert found == best
        assert not report.filter_ignored


KEYWORDS = BM25(
    KeywordPassage(document.metadata["chunk_id"], document.page_content, document.metadata)
    for document in CHUNKS
)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("readable", [1, 4, 40])
def test_fused_with_keywords_a_user_gets_the_best_of_what_they_may_read(
    store: FilledStore, readable: int
) -> None:
    service = FakePermissionService(*OBJECTS[:: 40 // readable][:readable])
    retriever = PermissionAwareRetriever(
        vectorstore=store.vectorstore,
        checker=AccessChecker(service, list_limit=None),
        keywords=KEYWORDS,
        k=K,
        bound_subject="a@x.example",
    )
    query = "chunk 3 of file 7, not case"
    documents, report = retriever.retrieve_with_report(query)

    found = [document.metadata["chunk_id"] for document in documents]
    by_keywords = [each.chunk_id for each in KEYWORDS.search(query, len(CHUNKS))]
    best = best_fused(
        [(each, OBJECT_OF[each]) for each in store.ranking(query)],
        [(each, OBJECT_OF[each]) for each in by_keywords],
        service.everybody.__contains__,
        K,
    )
    assert {document.metadata["object_id"] for document in documents} <= service.everybody
    assert report.complete or not store.exact
    if report.complete:
        assert found == best
    assert len(service.checked) == len(set(service.checked))


@pytest.mark.parametrize("readable", [1, 40])
def test_a_question_is_embedded_once(store: FilledStore, readable: int) -> None:
    counting = CountingEmbeddings()
    with embedding_by(store.vectorstore, counting):
        retriever = PermissionAwareRetriever(
            vectorstore=store.vectorstore,
            checker=AccessChecker(FakePermissionService(*OBJECTS[:readable]), list_limit=None),
            k=K,
            bound_subject="a@x.example",
        )
        _, report = retriever.retrieve_with_report(QUERIES[0])
        assert counting.questions == 1
        assert report.rounds > 1 or readable > 1
        if store.asynchronous:
            asyncio.run(retriever.ainvoke(QUERIES[0]))
            assert counting.questions == 2


class CountingEmbeddings(HashEmbeddings):
    questions = 0

    def embed_query(self, text: str) -> list[float]:
        self.questions += 1
        return super().embed_query(text)


@contextmanager
def embedding_by(vectorstore: VectorStore, embeddings: Embeddings) -> Iterator[None]:
    """Lets a store embed by another model, wherever it keeps its own."""
    place: Any = getattr(vectorstore, "_PGVectorStore__vs", vectorstore)
    name = next(name for name, value in vars(place).items() if isinstance(value, HashEmbeddings))
    before = getattr(place, name)
    setattr(place, name, embeddings)
    try:
        yield
    finally:
        setattr(place, name, before)


def test_a_short_result_is_complete_only_if_it_is_all_there_is_also_without_lists(
    store: FilledStore,
) -> None:
    service = CheckingService(lambda _, object_id: object_id == OBJECTS[0])
    retriever = PermissionAwareRetriever(
        vectorstore=store.vectorstore,
        checker=AccessChecker(service),
        k=K,
        bound_subject="a@x.example",
    )
    for query in QUERIES:
        documents, report = retriever.retrieve_with_report(query)

        best = store.ranking_within(query, {OBJECTS[0]})[:K]
        found = [document.metadata["chunk_id"] for document in documents]
        assert found == best or not report.complete
        assert report.complete or not store.exact


# Half of the chunks, as each store says it.
EVEN_CHUNKS: dict[str, Any] = {
    "in_memory": lambda document: document.metadata["chunk_index"] % 2 == 0,
    "faiss_flat": lambda metadata: metadata["chunk_index"] % 2 == 0,
    "faiss_hnsw": lambda metadata: metadata["chunk_index"] % 2 == 0,
    "chroma": {"chunk_index": {"$in": [0, 2, 4, 6, 8]}},
    "lancedb": "metadata.chunk_index IN (0, 2, 4, 6, 8)",
    "lancedb_indexed": "metadata.chunk_index IN (0, 2, 4, 6, 8)",
    "milvus": "chunk_index in [0, 2, 4, 6, 8]",
    "pgvector": {"chunk_index": {"$in": [0, 2, 4, 6, 8]}},
    "pgvector_hnsw": {"chunk_index": {"$in": [0, 2, 4, 6, 8]}},
    "pgvector_collection": {"chunk_index": {"$in": [0, 2, 4, 6, 8]}},
}


@pytest.mark.parametrize("k", [K, 300])
def test_a_filter_of_the_callers_is_applied_before_the_search(store: FilledStore, k: int) -> None:
    if store.name not in EVEN_CHUNKS:
        pytest.skip("Its filters are objects of its client's.")
    retriever = PermissionAwareRetriever(
        vectorstore=store.vectorstore,
        checker=AccessChecker(FakePermissionService(*OBJECTS), list_limit=None),
        k=k,
        search_kwargs={
            adapter_of(store.vectorstore).filter_argument: EVEN_CHUNKS[store.name],
        },
        bound_subject="a@x.example",
    )
    for query in QUERIES:
        documents, report = retriever.retrieve_with_report(query)

        best = [each for each in store.ranking(query) if NUMBER_OF[each] % 2 == 0][:k]
        assert report.complete or not store.exact
        if report.complete:
            assert [document.metadata["chunk_id"] for document in documents] == best


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "late", [{"fetch_k": 20}, {"fetch_k": 60}, {"prefilter": False}, {"metrics": "l2"}]
)
def test_one_that_is_applied_after_it_leaves_a_doubt(
    store: FilledStore, late: dict[str, Any]
) -> None:
    if not store.name.startswith("faiss" if "fetch_k" in late else "lancedb"):
        pytest.skip("It has no such argument.")
    retriever = PermissionAwareRetriever(
        vectorstore=store.vectorstore,
        checker=AccessChecker(FakePermissionService(*OBJECTS), list_limit=None),
        k=100,
        search_kwargs={"filter": EVEN_CHUNKS[store.name], **late},
        bound_subject="a@x.example",
    )

    assert not retriever.retrieve_with_report(QUERIES[0])[1].complete
