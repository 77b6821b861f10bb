"""The caller's own filter together with permissions, over every store: both hold, always."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from managed_sync import AccessChecker
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.langchain.stores import adapter_of
from managed_sync.retrieval.effects import Strategy
from tests.stores.chunks import METADATA, NUMBER_OF, OBJECT_OF
from tests.stores.filled_stores import FilledStore
from tests.support.permission_service import FakePermissionService

K = 6
OBJECTS = sorted({metadata["object_id"] for metadata in METADATA})
STRATEGIES: list[Strategy] = ["auto", "post_filter", "pre_filter"]
QUERY = "a question about the harbour"


def even_chunks(store: FilledStore) -> Any:
    """Half of the chunks, in the store's own language."""
    if store.name == "qdrant":
        from qdrant_client import models

        match = models.MatchAny(any=[0, 2, 4, 6, 8])
        return models.Filter(
            should=[models.FieldCondition(key="metadata.chunk_index", match=match)]
        )
    return {
        "in_memory": lambda document: document.metadata["chunk_index"] % 2 == 0,
        "faiss_flat": lambda metadata: metadata["chunk_index"] % 2 == 0,
        "faiss_hnsw": {"chunk_index": {"$in": [0, 2, 4, 6, 8]}},
        "chroma": {"$or": [{"chunk_index": each} for each in (0, 2, 4, 6, 8)]},
        "lancedb": "metadata.chunk_index < 1 OR metadata.chunk_index IN (2, 4, 6, 8)",
        "lancedb_indexed": "metadata.chunk_index IN (0, 2, 4) OR metadata.chunk_index IN (6, 8)",
        "milvus": "chunk_index < 1 or chunk_index in [2, 4, 6, 8]",
        "pgvector": {"$or": [{"chunk_index": {"$eq": each}} for each in (0, 2, 4, 6, 8)]},
        "pgvector_hnsw": {"chunk_index": {"$in": [0, 2, 4, 6, 8]}},
        "pgvector_collection": {"$or": [{"chunk_index": {"$eq": n}} for n in (0, 2, 4, 6, 8)]},
    }[store.name]


def retriever_of(store: FilledStore, readable: Sequence[str], **settings: Any) -> Any:
    return PermissionAwareRetriever(
        vectorstore=store.vectorstore,
        checker=AccessChecker(FakePermissionService(*readable), list_limit=None),
        bound_subject="a@x.example",
        **{"k": K, **settings},
    )


def answers(retriever: Any, store: FilledStore, **call: Any) -> Iterator[tuple[list[str], Any]]:
    documents, report = retriever.retrieve_with_report(QUERY, **call)
    yield [one.metadata["chunk_id"] for one in documents], report
    if store.asynchronous:
        found, again = asyncio.run(retriever.aretrieve_with_report(QUERY, **call))
        yield [one.metadata["chunk_id"] for one in found], again


def check(
    store: FilledStore,
    retriever: Any,
    readable: Sequence[str],
    matches: Callable[[str], bool],
    k: int = K,
    **call: Any,
) -> None:
    best = [
        each for each in store.ranking(QUERY) if OBJECT_OF[each] in set(readable) and matches(each)
    ]
    for found, report in answers(retriever, store, **call):
        assert set(found) <= set(best)
        assert report.complete or not store.exact
        assert found == best[:k] or not report.complete
        assert not report.filter_ignored


def is_even(chunk_id: str) -> bool:
    return bool(NUMBER_OF[chunk_id] % 2 == 0)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("readable", [4, 40])
def test_what_may_be_read_and_matches_comes_and_nothing_else(
    store: FilledStore, strategy: Strategy, readable: int
) -> None:
    objects = OBJECTS[:: 40 // readable][:readable]
    own = even_chunks(store)

    at_question_time = retriever_of(store, objects, strategy=strategy)
    check(store, at_question_time, objects, is_even, filter=own)
    # The filter of one question is not that of the next.
    check(store, at_question_time, objects, lambda _: True)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_several_filters_hold_together(store: FilledStore, strategy: Strategy) -> None:
    objects = OBJECTS[::10]
    chosen = objects[1]
    retriever = retriever_of(
        store,
        objects,
        strategy=strategy,
        search_kwargs={adapter_of(store.vectorstore).filter_argument: even_chunks(store)},
        filter={"object_id": chosen},
    )

    check(store, retriever, objects, lambda one: is_even(one) and OBJECT_OF[one] == chosen)
    both = {"object_id": chosen, "chunk_index": 4}
    check(store, retriever, objects, lambda one: OBJECT_OF[one] == chosen and
          NUMBER_OF[one] == 4, filter=both)  # fmt: skip
    check(store, retriever, objects, lambda _: False, filter={"object_id": objects[2]})
    check(store, retriever, objects, lambda _: False, filter={"object_id": OBJECTS[1]})


def test_a_filter_that_names_unreadable_objects_shows_none_of_them(store: FilledStore) -> None:
    hidden = OBJECTS[3]
    for strategy in STRATEGIES:
        retriever = retriever_of(store, OBJECTS[10:12], strategy=strategy)
        check(store, retriever, OBJECTS[10:12], lambda _: False, filter={"object_id": hidden})


def test_mmr_chooses_among_what_matches(store: FilledStore) -> None:
    objects = OBJECTS[::8]
    for strategy in STRATEGIES:
        retriever = retriever_of(
            store, objects, strategy=strategy, search_type="mmr", k=4, filter=even_chunks(store)
        )
        for found, _ in answers(retriever, store):
            # HNSW filters after its search, so it may find fewer.
            assert len(found) == 4 or store.name == "pgvector_hnsw"
            assert {OBJECT_OF[one] for one in found} <= set(objects)
            assert all(map(is_even, found))


def test_a_threshold_holds_too(store: FilledStore) -> None:
    if store.name not in {"qdrant", "chroma", "faiss_flat"}:
        pytest.skip("It has no relevance scores, or others share its way.")
    objects = OBJECTS[::8]
    settings = {"search_type": "similarity_score_threshold", "filter": even_chunks(store)}
    everything = retriever_of(store, objects, search_kwargs={"score_threshold": -9.0}, **settings)
    nothing = retriever_of(store, objects, search_kwargs={"score_threshold": 9.0}, **settings)

    found = [one.metadata["chunk_id"] for one in everything.invoke(QUERY)]
    assert found
    assert all(OBJECT_OF[one] in objects and is_even(one) for one in found)
    assert nothing.invoke(QUERY) == []


assert {metadata["chunk_index"] for metadata in METADATA} == set(range(10))


def test_an_argument_that_the_search_would_ignore_is_refused_by_name(store: FilledStore) -> None:
    for name in ("top_k", "similarity_top_k", "lambda_mult"):
        with pytest.raises(ConfigurationError, match=rf"{name} would be ignored") as raised:
            retriever_of(store, OBJECTS, search_kwargs={name: 3})
        assert " args" not in str(raised.value), "They cannot be passed by name."
