"""Elasticsearch and OpenSearch in LlamaIndex, against a server that answers like both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.vector_stores import FilterCondition, FilterOperator, MetadataFilter
from llama_index.core.vector_stores import MetadataFilters as Filters
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from managed_sync import AccessChecker
from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index import LlamaIndexTarget, PermissionAwareRetriever
from managed_sync.llama_index.stores import adapter_of
from tests.stores.chunks import ODD_OBJECTS
from tests.stores.recording_server import running
from tests.stores.search_engine import INDEX, SearchEngine
from tests.support.hash_embeddings import DIMENSIONS, HashEmbedding
from tests.support.permission_service import FakePermissionService

IDS = [f"00000000-0000-0000-0000-0000000000{number:02}" for number in range(100)]
NAMES = {"integration": "box", "sync_type": "files"}
ODD_TITLE = r"""it's "\x" """


def elasticsearch(engine: SearchEngine) -> BasePydanticVectorStore:
    package = pytest.importorskip("llama_index.vector_stores.elasticsearch")
    store: BasePydanticVectorStore = package.ElasticsearchStore(INDEX, es_url=engine.address)
    return store


def opensearch(engine: SearchEngine) -> BasePydanticVectorStore:
    package = pytest.importorskip("llama_index.vector_stores.opensearch")
    from opensearchpy import AsyncOpenSearch, OpenSearch

    # Clients of its own are closed with asyncio.run() whenever they are collected.
    client = package.OpensearchVectorClient(
        *(engine.address, INDEX, DIMENSIONS),
        os_client=OpenSearch(engine.address),
        os_async_client=AsyncOpenSearch(engine.address),
    )
    store: BasePydanticVectorStore = package.OpensearchVectorStore(client)
    return store


@pytest.fixture
def engine() -> Iterator[SearchEngine]:
    with running(SearchEngine()) as service:
        yield service


@pytest.fixture(params=[elasticsearch, opensearch], ids=lambda make: make.__name__)
def index(
    request: pytest.FixtureRequest, engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[VectorStoreIndex]:
    make: Callable[[SearchEngine], BasePydanticVectorStore] = request.param
    # Elasticsearch's store changes asyncio for the whole process, which only a running loop needs.
    monkeypatch.setattr("nest_asyncio.apply", lambda *_: None)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    store = make(engine)
    context = StorageContext.from_defaults(vector_store=store)
    yield VectorStoreIndex([], storage_context=context, embed_model=HashEmbedding())
    if make is elasticsearch:
        loop.run_until_complete(store.client.close())
    else:
        loop.run_until_complete(store.client._os_async_client.close())
    asyncio.set_event_loop(None)
    loop.close()


def chunk(number: int, object_id: str = "file:1", **metadata: str | int) -> Chunk:
    ids = {"object_id": object_id, "chunk_id": IDS[number]}
    return Chunk(f"text {number}", {**ids, **NAMES, **metadata})


def retriever(index: VectorStoreIndex, *readable: str, **settings: Any) -> PermissionAwareRetriever:
    checker = AccessChecker(FakePermissionService(*readable), list_limit=None)
    settings = {"strategy": "pre_filter", "bound_subject": "a@x.example", **settings}
    return PermissionAwareRetriever(index, checker=checker, **settings)


def filter_sent(engine: SearchEngine) -> Any:
    body = engine.bodies("/_search")[-1]
    if "knn" in body:
        return body["knn"]["filter"]
    [knn] = body["query"]["knn"].values()
    return knn["filter"]


def test_chunks_are_counted_while_a_loop_waits(index: VectorStoreIndex) -> None:
    LlamaIndexTarget(index).upsert([chunk(n, f"file:{n}") for n in range(10)])
    asked = retriever(index, "file:1", k=20, strategy="post_filter")

    question = asked.aretrieve_with_report("Who?")
    nodes, report = asyncio.get_event_loop().run_until_complete(question)

    assert [node.node.metadata["object_id"] for node in nodes] == ["file:1"]
    assert report.complete
    assert asked.retrieve_with_report("Who?")[1].complete


def test_a_search_among_objects_asks_for_them_inside_the_query(
    index: VectorStoreIndex, engine: SearchEngine
) -> None:
    LlamaIndexTarget(index).upsert([chunk(n, each) for n, each in enumerate(ODD_OBJECTS)])
    wanted = ODD_OBJECTS[:15]

    nodes, report = retriever(index, *wanted, k=4).retrieve_with_report("Who?")

    sent = filter_sent(engine)
    while "bool" in sent or isinstance(sent, list):
        [sent] = sent if isinstance(sent, list) else sent["bool"].values()
    assert set(sent["terms"]["metadata.object_id.keyword"]) == set(wanted)
    assert len(nodes) == 4
    assert {node.node.metadata["object_id"] for node in nodes} <= set(wanted)
    assert all(node.score is not None and node.node.node_id in IDS for node in nodes)
    assert not report.complete


@pytest.mark.parametrize(
    "own",
    [
        {"page": 1, "title": ODD_TITLE},
        Filters(filters=[MetadataFilter(key="page", value=1)]),
        Filters(
            filters=[
                MetadataFilter(key="page", value=[1, 7], operator=FilterOperator.IN),
                MetadataFilter(key="page", value=9),
            ],
            condition=FilterCondition.OR,
        ),
        Filters(filters=[MetadataFilter(key="page", value=0, operator=FilterOperator.GT)]),
        Filters(filters=[MetadataFilter(key="page", value=0, operator=FilterOperator.NE)]),
    ],
    ids=["mapping", "equal", "either", "greater", "other"],
)
def test_the_callers_filter_and_the_objects_hold_together(
    index: VectorStoreIndex, own: Any
) -> None:
    LlamaIndexTarget(index).upsert(
        [chunk(n, f"file:{n}", page=n % 2, title=ODD_TITLE) for n in range(6)]
    )
    at_question_time = retriever(index, "file:1", "file:2")
    nodes, _ = at_question_time.retrieve_with_report("Who?", filter=own)
    assert [node.node.node_id for node in nodes] == [IDS[1]]
    if isinstance(own, Filters):
        by_the_index = retriever(index, "file:1", "file:2", filters=own)
        assert [node.node.node_id for node in by_the_index.retrieve("Who?")] == [IDS[1]]


def test_nodes_are_replaced_listed_updated_and_removed(
    index: VectorStoreIndex, engine: SearchEngine
) -> None:
    target = LlamaIndexTarget(index)
    target.upsert([chunk(1, heading="Old"), chunk(2), chunk(3, integration="drive")])
    target.upsert([chunk(2, page=2)], present={IDS[2]})
    target.update_metadata([chunk(1, page=7)])
    target.delete([IDS[3]])
    target.delete([IDS[4]])

    assert target.existing_ids([IDS[1], IDS[3], IDS[9]]) == {IDS[1]}
    assert list(target.chunk_ids(NAMES) or ()) == IDS[1:3]
    assert target.count({"object_id": "file:1"}) == 2
    kept = {each.chunk_id: each for each in target.read(IDS[:4], vectors=True) or ()}
    assert kept[IDS[1]].metadata == chunk(1, page=7).metadata
    assert kept[IDS[2]].text == "text 2"
    assert kept[IDS[2]].vector == pytest.approx(target.embed([chunk(2)])[0])
    assert adapter_of(index.vector_store, index).chunk_count() == 2


def test_an_index_with_other_fields_is_filtered_by_them_or_refused(
    index: VectorStoreIndex, engine: SearchEngine
) -> None:
    keyword = {"object_id": {"type": "keyword"}}
    engine.mapping = {"properties": {"metadata": {"properties": keyword}}}
    adapter = adapter_of(index.vector_store, index)

    if adapter.filter_argument == "filters":  # OpenSearch's store writes the names itself
        with pytest.raises(ConfigurationError, match="Leave metadata out"):
            adapter.search_kwargs(["file:1"])
    else:
        assert "{'metadata.object_id': ['file:1']}" in str(adapter.search_kwargs(["file:1"]))


def test_elasticsearch_refuses_filters_that_it_cannot_write(index: VectorStoreIndex) -> None:
    adapter = adapter_of(index.vector_store, index)
    if adapter.filter_argument == "filters":
        pytest.skip("OpenSearch's store writes filters itself.")
    for operator, value in ((FilterOperator.CONTAINS, "a"), (FilterOperator.EQ, 1.5)):
        own = Filters(filters=[MetadataFilter(key="k", value=value, operator=operator)])
        with pytest.raises(ConfigurationError, match=r"no filter for|whole numbers"):
            adapter.filter_of(own)


def test_elasticsearch_looks_at_enough_candidates_and_not_at_too_many(
    index: VectorStoreIndex, engine: SearchEngine
) -> None:
    if adapter_of(index.vector_store).filter_argument == "filters":
        pytest.skip("OpenSearch has no such number.")
    LlamaIndexTarget(index).upsert([chunk(1)])

    retriever(index, "file:1", k=4_000, max_candidates=4_000).retrieve("Who?")

    search = [each for each in engine.requests if "/_search" in each.path][-1]
    assert search.body["knn"]["num_candidates"] == 10_000
    assert "allow_partial_search_results=false" in search.path
