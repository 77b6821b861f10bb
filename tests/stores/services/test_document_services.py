"""Pinecone and MongoDB Atlas: what the adapters ask, and how they read the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.vectorstores import VectorStore

from managed_sync import AccessChecker
from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError, StoreSearchError
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever
from managed_sync.langchain.stores import adapter_of, object_filter_for
from tests.stores.chunks import ODD_OBJECTS
from tests.stores.mongodb import MongoDB, running_mongodb
from tests.stores.pinecone import PineconeIndex
from tests.stores.recording_server import running
from tests.support.hash_embeddings import HashEmbeddings
from tests.support.permission_service import FakePermissionService

IDS = [f"00000000-0000-0000-0000-0000000000{number:02}" for number in range(100)]
NAMES = {"integration": "box", "sync_type": "files"}
ODD_TITLE = r"""{"$ne": 1} it's "\x" """


@pytest.fixture
def pinecone() -> Iterator[tuple[VectorStore, PineconeIndex]]:
    package = pytest.importorskip("langchain_pinecone")
    from pinecone import Pinecone

    with running(PineconeIndex()) as index:
        client = Pinecone(api_key="key").Index(host=index.address)
        yield package.PineconeVectorStore(client, HashEmbeddings()), index


@pytest.fixture
def mongodb() -> Iterator[tuple[VectorStore, MongoDB]]:
    package = pytest.importorskip("langchain_mongodb")
    from pymongo import MongoClient
    from pymongo.server_api import ServerApi

    with running_mongodb() as database:
        client: Any = MongoClient(database.address, server_api=ServerApi("1"))
        store = package.MongoDBAtlasVectorSearch(client["db"]["chunks"], HashEmbeddings())
        yield store, database
        client.close()


@pytest.fixture(params=["pinecone", "mongodb"])
def service(request: pytest.FixtureRequest) -> tuple[VectorStore, Callable[[], dict[str, Any]]]:
    """A store, and the last search that its service got, as filter and limit."""
    store, answering = request.getfixturevalue(request.param)

    def last() -> dict[str, Any]:
        if isinstance(answering, PineconeIndex):
            search = answering.bodies("/query")[-1]
            return {"filter": search.get("filter"), "limit": search["topK"]}
        search = answering.searches()[-1]
        return {"filter": search.get("filter"), "limit": search["limit"]}

    return store, last


def chunk(number: int, object_id: str = "file:1", **metadata: str | int) -> Chunk:
    ids = {"object_id": object_id, "chunk_id": IDS[number]}
    return Chunk(f"text {number}", {**ids, **NAMES, **metadata})


def retriever(store: VectorStore, *readable: str, **settings: Any) -> PermissionAwareRetriever:
    return PermissionAwareRetriever(
        vectorstore=store,
        checker=AccessChecker(FakePermissionService(*readable), list_limit=None),
        bound_subject="a@x.example",
        **{"strategy": "pre_filter", **settings},
    )


def test_a_search_among_objects_asks_for_them_inside_the_query(
    service: tuple[VectorStore, Callable[[], dict[str, Any]]],
) -> None:
    store, last = service
    LangChainTarget(store).upsert([chunk(n, each) for n, each in enumerate(ODD_OBJECTS)])
    wanted = ODD_OBJECTS[:15]

    found, report = retriever(store, *wanted, k=4).retrieve_with_report("Who?")

    assert last()["filter"].keys() == {"object_id"}
    assert set(last()["filter"]["object_id"]["$in"]) == set(wanted)
    assert last()["limit"] >= 4
    assert len(found) == 4
    assert {document.metadata["object_id"] for document in found} <= set(wanted)
    assert not report.complete


def test_scores_come_with_the_hits(
    service: tuple[VectorStore, Callable[[], dict[str, Any]]],
) -> None:
    store, _ = service
    LangChainTarget(store).upsert([chunk(n, f"file:{n}") for n in range(5)])
    vector = HashEmbeddings().embed_query("text 3")
    arguments = adapter_of(store).search_kwargs(["file:2", "file:3"])

    found = getattr(store, adapter_of(store).vector_search)(vector, **arguments)

    assert [document.id for document, _ in found] == [IDS[3], IDS[2]]
    assert found[0][1] == pytest.approx(1.0, abs=1e-5)


def test_the_callers_filter_and_the_objects_are_asked_for_together(
    service: tuple[VectorStore, Callable[[], dict[str, Any]]],
) -> None:
    store, last = service
    target = LangChainTarget(store)
    target.upsert([chunk(n, f"file:{n}", page=n % 2, title=ODD_TITLE) for n in range(6)])
    asked = retriever(store, "file:1", "file:2")

    found = asked.invoke("Who?", filter={"page": 1, "title": ODD_TITLE})

    assert [document.metadata["chunk_id"] for document in found] == [IDS[1]]
    own = {"$and": [{"page": {"$eq": 1}}, {"title": {"$eq": ODD_TITLE}}]}
    assert last()["filter"] == {"$and": [own, {"object_id": {"$in": ["file:1", "file:2"]}}]}
    in_its_language = {adapter_of(store).filter_argument: {"page": {"$gt": 0}}}
    narrow = retriever(store, "file:1", "file:2", search_kwargs=in_its_language)
    assert [one.metadata["chunk_id"] for one in narrow.invoke("Who?")] == [IDS[1]]
    assert asked.invoke("Who?", filter={"page": "1"}) == []


def test_no_search_is_exhaustive_and_no_list_too_long(
    service: tuple[VectorStore, Callable[[], dict[str, Any]]],
) -> None:
    object_filter = object_filter_for(service[0])
    assert object_filter is not None
    assert not object_filter.exact
    with pytest.raises(ValueError, match="at most 10000"):
        object_filter.search_kwargs([f"file:{number}" for number in range(10_001)])


def test_chunks_are_replaced_updated_and_removed(
    service: tuple[VectorStore, Callable[[], dict[str, Any]]],
) -> None:
    target = LangChainTarget(service[0])
    target.delete([IDS[0]])
    first = [chunk(1, heading="Old"), chunk(2), chunk(3, integration="drive")]
    target.upsert(first)
    target.upsert([chunk(2, page=2)], present={IDS[2]})
    target.update_metadata([chunk(1, page=7), chunk(9)])
    target.delete([IDS[3], IDS[4]])
    target.delete([])

    assert target.existing_ids([IDS[1], IDS[3], IDS[9]]) == {IDS[1]}
    kept = {each.chunk_id: each for each in target.read(IDS[:4], vectors=True) or ()}
    assert kept.keys() == {IDS[1], IDS[2]}
    assert kept[IDS[1]].metadata == chunk(1, page=7).metadata
    assert (kept[IDS[2]].text, kept[IDS[2]].metadata) == ("text 2", chunk(2, page=2).metadata)
    assert kept[IDS[2]].vector == pytest.approx(target.embed([chunk(2)])[0])
    assert first[0].metadata == chunk(1, heading="Old").metadata, "the chunk itself is unchanged"


def test_pinecone_reads_many_ids_in_parts_and_lists_none(
    pinecone: tuple[VectorStore, PineconeIndex],
) -> None:
    store, index = pinecone
    target = LangChainTarget(store)
    target.upsert([chunk(n) for n in range(60)])

    assert target.existing_ids([*IDS, *(f"absent {n}" for n in range(150))]) == set(IDS[:60])
    assert len([each for each in index.requests if "/fetch" in each.path]) == 3
    assert target.chunk_ids(NAMES) is None
    assert target.count(NAMES) is None


def test_mongodb_lists_and_counts_ids(mongodb: tuple[VectorStore, MongoDB]) -> None:
    target = LangChainTarget(mongodb[0])
    target.upsert([chunk(1), chunk(2), chunk(3, integration="drive")])

    assert sorted(target.chunk_ids(NAMES) or ()) == IDS[1:3]
    assert target.count({"object_id": "file:1"}) == 3
    assert adapter_of(mongodb[0]).chunk_count(["file:2"]) == 0
    with pytest.raises(ConfigurationError, match=r"cannot filter by the metadata 'a\.b'"):
        adapter_of(mongodb[0]).filter_of({"a.b": 1})


def test_mongodb_looks_at_no_more_candidates_than_it_may(
    mongodb: tuple[VectorStore, MongoDB],
) -> None:
    store, database = mongodb
    LangChainTarget(store).upsert([chunk(1)])
    for k, candidates in ((4, 40), (3_000, 9_000)):
        retriever(store, "file:1", k=k).invoke("Who?")
        assert database.searches()[-1]["numCandidates"] >= candidates


def test_mongodb_fails_where_its_index_cannot_filter(
    mongodb: tuple[VectorStore, MongoDB],
) -> None:
    store, database = mongodb
    LangChainTarget(store).upsert([chunk(1)])
    database.filterable.clear()
    with pytest.raises(StoreSearchError, match=r"MongoDBAtlasVectorSearch.*OperationFailure"):
        retriever(store, "file:1").invoke("Who?")
