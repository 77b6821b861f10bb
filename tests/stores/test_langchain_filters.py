"""One suite for every store: a filtered search is the exhaustive ranking of the allowed chunks."""

from __future__ import annotations

import asyncio

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from managed_sync.langchain.stores import chunk_count, object_filter_for
from managed_sync.retrieval.object_filter import ObjectFilter
from tests.stores.chunks import CHUNKS, IDS, OBJECT_OF, OBJECTS, ODD_OBJECTS
from tests.stores.filled_stores import FilledStore
from tests.support.hash_embeddings import HashEmbeddings

QUESTIONS = ["What did we decide?", "Who signed?", "When?"]
SETS = {
    "one": OBJECTS[25:26],
    "ten": OBJECTS[::4],
    "odd": ODD_OBJECTS,
    "all": OBJECTS,
}


def search(store: FilledStore, query: str, k: int, object_ids: list[str]) -> list[str]:
    """The ids of the chunks that a search within the objects finds."""
    kwargs = filter_of(store).search_kwargs(object_ids)
    found = store.vectorstore.similarity_search_with_score(query, k=k, **kwargs)
    return [document.metadata["chunk_id"] for document, _ in found]


def filter_of(store: FilledStore) -> ObjectFilter:
    object_filter = object_filter_for(store.vectorstore)
    assert object_filter is not None
    return object_filter


@pytest.mark.sampled(5)
@pytest.mark.parametrize("k", [1, 10, 1000])
@pytest.mark.parametrize("objects", SETS.values(), ids=SETS)
def test_a_filtered_search_is_the_exhaustive_ranking_of_these_objects(
    store: FilledStore, objects: list[str], k: int
) -> None:
    for question in QUESTIONS:
        found = search(store, question, k, objects)
        expected = store.ranking_within(question, set(objects))
        assert set(found) <= set(expected)
        assert found == sorted(found, key=expected.index)
        assert len(found) == len(set(found)) <= k
        if store.exact:
            assert found == expected[:k]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("object_id", ODD_OBJECTS)
def test_an_odd_id_finds_its_own_chunks_and_no_others(store: FilledStore, object_id: str) -> None:
    found = search(store, "Who signed?", 20, [object_id])
    assert {OBJECT_OF[chunk_id] for chunk_id in found} <= {object_id}
    if store.exact:
        assert found == store.ranking_within("Who signed?", {object_id})


def test_an_asynchronous_search_takes_the_same_arguments(store: FilledStore) -> None:
    kwargs = filter_of(store).search_kwargs(OBJECTS[:3])

    async def asynchronous() -> list[str]:
        found = await store.vectorstore.asimilarity_search_with_score("When?", k=9, **kwargs)
        return [document.metadata["chunk_id"] for document, _ in found]

    if store.asynchronous:
        assert asyncio.run(asynchronous()) == search(store, "When?", 9, OBJECTS[:3])
    else:
        with pytest.raises(AssertionError, match="_async_engine"):
            asyncio.run(asynchronous())


def test_no_ids_find_nothing(store: FilledStore) -> None:
    assert search(store, "Who signed?", 20, []) == []


@pytest.mark.parametrize(
    "foreign",
    ["file:nowhere", "file:' OR 1=1 --", "file:') OR (TRUE", "%", "file:%", "*", "file:it''s", ""],
)
def test_an_id_that_is_not_there_finds_nothing(store: FilledStore, foreign: str) -> None:
    assert search(store, "Who signed?", 20, [foreign]) == []


def test_ids_that_are_not_there_take_nothing_away(store: FilledStore) -> None:
    wanted = OBJECTS[:3]
    found = search(store, "When?", 30, ["file:nowhere", *wanted, "file:it's not"])
    assert {OBJECT_OF[chunk_id] for chunk_id in found} <= set(wanted)
    if store.exact:
        assert found == store.ranking_within("When?", set(wanted))


def test_repeated_ids_repeat_no_chunk(store: FilledStore) -> None:
    assert search(store, "When?", 30, OBJECTS[:3] * 2) == search(store, "When?", 30, OBJECTS[:3])


def test_as_many_ids_as_it_says_fit_into_one_search(store: FilledStore) -> None:
    most = filter_of(store).max_objects or 20_000
    ids = [*OBJECTS[:2], *(f"file:absent {number}" for number in range(most - 2))]
    found = search(store, "When?", 20, ids)
    assert {OBJECT_OF[chunk_id] for chunk_id in found} <= set(OBJECTS[:2])
    if store.exact:
        assert found == store.ranking_within("When?", set(OBJECTS[:2]))


def test_more_ids_than_fit_are_refused_rather_than_cut_off(store: FilledStore) -> None:
    object_filter = filter_of(store)
    if object_filter.max_objects is not None:
        ids = [f"file:{number}" for number in range(object_filter.max_objects + 1)]
        with pytest.raises(ValueError, match=f"at most {object_filter.max_objects}"):
            object_filter.search_kwargs(ids)
    else:
        ids = [f"file:{number}" for number in range(50_000)]
        assert len(search(store, "When?", 20, ids)) == 20


def test_parts_of_a_long_list_together_find_what_the_whole_would(store: FilledStore) -> None:
    parts = [OBJECTS[start : start + 7] for start in range(0, len(OBJECTS), 7)]
    found = {chunk_id for part in parts for chunk_id in search(store, "When?", 10, part)}
    best = store.ranking("When?")[:10]
    if store.exact:
        assert set(best) <= found


def test_a_store_says_truthfully_whether_it_searches_exhaustively(store: FilledStore) -> None:
    assert filter_of(store).exact is store.exact


def test_a_store_that_counts_its_chunks_counts_all_of_them(store: FilledStore) -> None:
    expected = None if store.name.startswith("pgvector") else len(IDS)
    assert chunk_count(store.vectorstore) == expected


def test_a_store_that_is_only_derived_from_a_known_one_is_known() -> None:
    class Renamed(InMemoryVectorStore):
        pass

    derived = Renamed(HashEmbeddings())
    derived.add_documents(CHUNKS)
    filled = FilledStore("derived", derived, exact=True)
    assert (
        search(filled, "When?", 10, OBJECTS[:2])
        == filled.ranking_within("When?", set(OBJECTS[:2]))[:10]
    )


@pytest.mark.parametrize("object_id", [None, 7, ["file:1"], {"file:1": 1}])
def test_a_malformed_id_in_the_store_does_not_stop_the_search(object_id: object) -> None:
    vectorstore = InMemoryVectorStore(HashEmbeddings())
    malformed = Document(page_content="?", metadata={"object_id": object_id})
    vectorstore.add_documents([*CHUNKS, malformed])
    filled = FilledStore("malformed", vectorstore, exact=True)
    assert search(filled, "?", 10, OBJECTS[:1]) == filled.ranking_within("?", {OBJECTS[0]})


def test_a_store_that_merely_shares_a_name_is_not_known() -> None:
    class Chroma(VectorStore):
        @classmethod
        def from_texts(cls, *_: object, **__: object) -> Chroma:
            return cls()

        def similarity_search(self, *_: object, **__: object) -> list[Document]:
            return []

    assert object_filter_for(Chroma()) is None
    assert chunk_count(Chroma()) is None
