"""Tests pgvector's peculiarity: an index selects rows before they are filtered."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.vectorstores import VectorStore

from managed_sync.langchain.stores import object_filter_for
from tests.stores.chunks import OBJECTS, ranking_within
from tests.stores.filled_stores import ALWAYS_BY_INDEX, Place, pgvector_hnsw, pgvector_store
from tests.support.hash_embeddings import HashEmbeddings

QUESTION = "Who signed?"


@pytest.fixture(scope="module")
def indexed(place: Place) -> VectorStore:
    return pgvector_hnsw(place, "narrow")


def hits(vectorstore: VectorStore, object_ids: list[str]) -> list[str]:
    object_filter = object_filter_for(vectorstore)
    assert object_filter is not None
    kwargs = object_filter.search_kwargs(object_ids)
    found = vectorstore.similarity_search_with_score(QUESTION, k=10, **kwargs)
    return [document.metadata["chunk_id"] for document, _ in found]


def test_an_index_makes_a_filtered_search_miss_chunks_that_are_there(indexed: VectorStore) -> None:
    found = {object_id: hits(indexed, [object_id]) for object_id in OBJECTS}
    assert min(len(chunk_ids) for chunk_ids in found.values()) < 10


def test_iterative_scans_find_them(indexed: VectorStore, place: Place) -> None:
    settings = ALWAYS_BY_INDEX | {"hnsw.iterative_scan": "strict_order"}
    same_table = pgvector_store(place, "narrow", settings, filled=False)
    for object_id in OBJECTS:
        assert hits(same_table, [object_id]) == ranking_within(QUESTION, {object_id})


def test_an_index_that_is_made_later_is_noticed(place: Place) -> None:
    from langchain_postgres.v2.indexes import HNSWIndex

    vectorstore = pgvector_store(place, "indexed later")
    object_filter = object_filter_for(vectorstore)
    assert object_filter is not None
    assert object_filter.exact
    vectorstore.apply_vector_index(HNSWIndex())  # type: ignore[attr-defined]
    assert not object_filter.exact


def test_whether_it_is_exact_can_be_asked_inside_an_event_loop(place: Place) -> None:
    vectorstore = pgvector_store(place, "asked in a loop")
    object_filter = object_filter_for(vectorstore)
    assert object_filter is not None

    async def ask() -> bool:
        return object_filter.exact

    assert asyncio.run(ask())


def test_an_engine_that_belongs_to_the_running_loop_is_not_waited_for(place: Place) -> None:
    from langchain_postgres import PGEngine, PGVectorStore
    from sqlalchemy.ext.asyncio import create_async_engine

    pgvector_store(place, "shared loop")

    async def ask() -> bool:
        pool = create_async_engine(f"postgresql+asyncpg://postgres@{place.postgres}/postgres")
        vectorstore = await PGVectorStore.create(
            PGEngine.from_engine(pool), HashEmbeddings(), "shared loop"
        )
        vectorstore._engine = PGEngine.from_engine(pool, asyncio.get_running_loop())
        object_filter = object_filter_for(vectorstore)
        assert object_filter is not None
        answer = object_filter.exact
        await pool.dispose()
        return answer

    assert not asyncio.run(asyncio.wait_for(ask(), timeout=20))
