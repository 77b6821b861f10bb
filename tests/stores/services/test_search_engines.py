"""Elasticsearch and OpenSearch: what the adapters ask, and how they read the answers.

The frameworks' classes and the vendors' clients run against a server that answers in the form of
the documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.vectorstores import VectorStore

from managed_sync import AccessChecker
from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever
from managed_sync.langchain.stores import adapter_of
from managed_sync.retrieval.effects import Inspect, Reach
from tests.stores.chunks import ODD_OBJECTS
from tests.stores.recording_server import running
from tests.stores.search_engine import INDEX, SearchEngine
from tests.support.hash_embeddings import HashEmbeddings
from tests.support.permission_service import FakePermissionService

IDS = [f"00000000-0000-0000-0000-0000000000{number:02}" for number in range(100)]
NAMES = {"integration": "box", "sync_type": "files"}
LONG = "file:" + "x" * 300


def elasticsearch_exact(engine: SearchEngine) -> VectorStore:
    package = pytest.importorskip("langchain_elasticsearch")
    strategy = package.DenseVectorScriptScoreStrategy()
    store: VectorStore = package.ElasticsearchStore(
        INDEX, embedding=HashEmbeddings(), es_url=engine.address, strategy=strategy
    )
    return store


def elasticsearch(engine: SearchEngine) -> VectorStore:
    package = pytest.importorskip("langchain_elasticsearch")
    store: VectorStore = package.ElasticsearchStore(
        INDEX, embedding=HashEmbeddings(), es_url=engine.address
    )
    return store


def opensearch(engine: SearchEngine) -> VectorStore:
    pytest.importorskip("opensearchpy")
    from langchain_community.vectorstores import OpenSearchVectorSearch

    return OpenSearchVectorSearch(engine.address, INDEX, HashEmbeddings())


# Each store, and whether a search among objects is exhaustive.
STORES: dict[Callable[[SearchEngine], VectorStore], bool] = {
    elasticsearch_exact: True,
    elasticsearch: False,
    opensearch: True,
}


@pytest.fixture
def engine() -> Iterator[SearchEngine]:
    with running(SearchEngine()) as service:
        yield service


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def make(request: pytest.FixtureRequest) -> Callable[[SearchEngine], VectorStore]:
    made: Callable[[SearchEngine], VectorStore] = request.param
    return made


@pytest.fixture
def store(make: Callable[[SearchEngine], VectorStore], engine: SearchEngine) -> VectorStore:
    return make(engine)


def chunk(number: int, object_id: str = "file:1", **metadata: str | int) -> Chunk:
    ids = {"object_id": object_id, "chunk_id": IDS[number]}
    return Chunk(f"text {number}", {**ids, **NAMES, **metadata})


def retriever(store: VectorStore, *readable: str, **settings: Any) -> PermissionAwareRetriever:
    service = FakePermissionService(*readable)
    return PermissionAwareRetriever(
        vectorstore=store,
        checker=AccessChecker(service, list_limit=None),
        bound_subject="a@x.example",
        **settings,
    )


def filter_sent(engine: SearchEngine) -> Any:
    """The filter inside the last search."""
    body = engine.bodies("/_search")[-1]
    if "knn" in body:
        return body["knn"]["filter"]
    scored = body["query"]["script_score"]["query"]
    return scored["bool"]["filter"] if "bool" in scored else [scored]


def test_a_search_among_objects_asks_for_them_inside_the_query(
    store: VectorStore, engine: SearchEngine
) -> None:
    LangChainTarget(store).upsert([chunk(n, each) for n, each in enumerate(ODD_OBJECTS)])
    wanted = ODD_OBJECTS[:15]

    found = retriever(store, *wanted, strategy="pre_filter", k=4).invoke("Who?")

    [clause] = filter_sent(engine)
    assert clause.keys() == {"terms"}
    assert set(clause["terms"].pop("metadata.object_id.keyword")) == set(wanted)
    assert clause["terms"] == {}
    assert engine.bodies("/_search")[-1]["size"] >= 4
    assert len(found) == 4
    for document in found:
        assert document.metadata == engine.documents[document.metadata["chunk_id"]]["metadata"]
        assert document.metadata["object_id"] in wanted


def test_scores_come_with_the_hits(store: VectorStore, engine: SearchEngine) -> None:
    LangChainTarget(store).upsert([chunk(n, f"file:{n}") for n in range(5)])
    search = getattr(store, adapter_of(store).vector_search)
    vector = HashEmbeddings().embed_query("Who?")
    arguments = adapter_of(store).search_kwargs(["file:2", "file:3"])

    scored = [(one.metadata["chunk_id"], score) for one, score in search(vector, **arguments)]

    assert sorted(key for key, _ in scored) == IDS[2:4]
    assert [score for _, score in scored] == sorted((s for _, s in scored), reverse=True)


def test_the_callers_filter_and_the_objects_are_asked_for_together(
    store: VectorStore, engine: SearchEngine
) -> None:
    LangChainTarget(store).upsert(
        [chunk(n, f"file:{n}", page=n % 2, title=r"""it's "\x" """) for n in range(6)]
    )
    own = {"page": 1, "title": r"""it's "\x" """}
    asked = retriever(store, "file:1", "file:2", strategy="pre_filter")

    found = asked.invoke("Who?", filter=own)

    assert [document.metadata["chunk_id"] for document in found] == [IDS[1]]
    sent = str(filter_sent(engine))
    assert "'metadata.page': {'value': 1}" in sent
    assert "metadata.title.keyword" in sent
    assert "{'terms': {'metadata.object_id.keyword': ['file:1', 'file:2']}}" in sent
    # Values of other types are not equal, and a filter is never left out.
    assert asked.invoke("Who?", filter={"page": "1"}) == []
    assert asked.invoke("Who?", filter={"title": 1}) == []


def test_it_says_truthfully_whether_it_is_exhaustive(
    make: Callable[[SearchEngine], VectorStore], store: VectorStore, engine: SearchEngine
) -> None:
    LangChainTarget(store).upsert([chunk(1), chunk(2, LONG)])
    adapter = adapter_of(store)

    assert adapter.exact is STORES[make]
    assert adapter.reach(Inspect(("file:1",)), {}).exhaustive is STORES[make]
    # The index has no keyword for so long an id.
    assert adapter.reach(Inspect(("file:1", LONG), count=True), {}) == Reach()
    assert adapter.chunk_count(["file:1"]) == 1
    engine.failing_shards = 1
    assert adapter.chunk_count() is None
    assert not adapter.exact or make is elasticsearch_exact


def test_a_text_that_is_too_long_for_a_keyword_is_refused_in_a_filter(store: VectorStore) -> None:
    LangChainTarget(store).upsert([chunk(1, title="Short")])

    with pytest.raises(ConfigurationError, match="more than 256 letters"):
        retriever(store, "file:1").invoke("Who?", filter={"title": "x" * 257})


def test_a_field_is_found_under_the_name_that_the_index_gives_it(
    store: VectorStore, engine: SearchEngine
) -> None:
    keyword = {"object_id": {"type": "keyword"}, "title": {"type": "text"}}
    engine.mapping = {"properties": {"metadata": {"properties": keyword}}}
    adapter = adapter_of(store)

    assert "{'metadata.object_id': ['file:1']}" in str(adapter.search_kwargs(["file:1"]))
    with pytest.raises(ConfigurationError, match=r"maps metadata.title as text"):
        adapter.filter_of({"title": "a"})


@pytest.mark.parametrize(
    "metadata",
    [
        {"dynamic": "false", "properties": {}},
        {"type": "object", "enabled": False},
        {"properties": {"object_id": {"type": "text"}}},
        {"properties": {"object_id": {"type": "keyword", "index": False}}},
        {"type": "nested", "properties": {"object_id": {"type": "keyword"}}},
    ],
    ids=["not dynamic", "not enabled", "words", "not indexed", "nested"],
)
def test_hits_are_checked_where_the_index_does_not_keep_ids_for_filters(
    store: VectorStore, engine: SearchEngine, metadata: dict[str, Any]
) -> None:
    engine.mapping = {"properties": {"metadata": metadata}}
    LangChainTarget(store).upsert([chunk(n, f"file:{n}") for n in range(40)])

    found, report = retriever(store, "file:1", "file:30", k=2).retrieve_with_report("Who?")

    assert {one.metadata["object_id"] for one in found} == {"file:1", "file:30"}
    assert report.strategy == "post_filter"
    assert adapter_of(store).reach(Inspect(("file:1",), count=True), {}) == Reach()
    assert LangChainTarget(store).chunk_ids({"object_id": "file:1"}) is None
    assert LangChainTarget(store).count({"object_id": "file:1"}) is None
    with pytest.raises(ConfigurationError, match="cannot filter by the"):
        retriever(store, "file:1", strategy="pre_filter").invoke("Who?")
    with pytest.raises(ConfigurationError, match="cannot be filtered"):
        retriever(store, "file:1").invoke("Who?", filter={"object_id": "file:1"})


def test_a_filter_by_a_field_that_is_not_mapped_is_not_called_exact(
    store: VectorStore, engine: SearchEngine
) -> None:
    LangChainTarget(store).upsert([chunk(1)])
    assert engine.mapping is not None
    # Such as beyond the limit of an index that ignores further fields.
    del engine.mapping["properties"]["metadata"]["properties"]["object_id"]

    found, report = retriever(store, "file:1", strategy="pre_filter").retrieve_with_report("Who?")

    assert (found, report.complete) == ([], False)


def test_chunks_are_replaced_listed_updated_and_removed(
    store: VectorStore, engine: SearchEngine
) -> None:
    target = LangChainTarget(store)
    assert target.existing_ids(IDS[:3]) == set()
    assert list(target.chunk_ids(NAMES) or ()) == []
    target.upsert([chunk(1, heading="Old"), chunk(2), chunk(3, integration="drive")])
    target.upsert([chunk(2, page=2)], present={IDS[2]})
    target.update_metadata([chunk(1, page=7), chunk(9)])
    target.delete([IDS[3], IDS[4]])

    assert target.existing_ids([IDS[1], IDS[3], IDS[9]]) == {IDS[1]}
    assert list(target.chunk_ids(NAMES) or ()) == IDS[1:3]
    assert target.count({"object_id": "file:1"}) == 2
    kept = {each.chunk_id: each for each in target.read(IDS[:4], vectors=True) or ()}
    assert kept[IDS[1]].metadata == chunk(1, page=7).metadata
    assert kept[IDS[2]].text == "text 2"
    assert kept[IDS[2]].vector == pytest.approx(HashEmbeddings().embed_query("text 2"))
    assert adapter_of(store).dimensions() in {16, None}


def test_ids_are_listed_page_by_page(
    store: VectorStore, engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("managed_sync.stores.search_engine._ROWS_AT_ONCE", 2)
    target = LangChainTarget(store)
    target.upsert([chunk(n) for n in range(5)])

    assert list(target.chunk_ids(NAMES) or ()) == IDS[:5]
    assert [body["search_after"] for body in engine.bodies("/_search")[1:]] == [[IDS[1]], [IDS[3]]]


def test_elasticsearch_looks_at_enough_candidates_and_at_all_shards(engine: SearchEngine) -> None:
    store = elasticsearch(engine)
    LangChainTarget(store).upsert([chunk(n, f"file:{n}") for n in range(3)])

    for k, candidates in ((4, 50), (200, 300), (9_000, 10_000)):
        retriever(store, "file:1", strategy="pre_filter", k=k).invoke("Who?")
        assert engine.bodies("/_search")[-1]["knn"]["num_candidates"] >= candidates
    own = {"fetch_k": 700}
    retriever(store, "file:1", strategy="pre_filter", search_kwargs=own).invoke("Who?")
    assert engine.bodies("/_search")[-1]["knn"]["num_candidates"] == 700
    engine.failing_shards = 1
    with pytest.raises(Exception, match="503"):
        retriever(store, "file:1", strategy="pre_filter").invoke("Who?")


def test_elasticsearch_applies_the_callers_change_of_the_query_too(engine: SearchEngine) -> None:
    store = elasticsearch_exact(engine)
    LangChainTarget(store).upsert([chunk(n) for n in range(3)])

    def changed(body: dict[str, Any], _: str | None) -> dict[str, Any]:
        return {**body, "min_score": 0.5}

    own = {"custom_query": changed}
    retriever(store, "file:1", search_kwargs=own).invoke("Who?")

    assert engine.bodies("/_search")[-1]["min_score"] == 0.5
    assert not adapter_of(store).reach(Inspect(), own).exhaustive


def test_opensearch_never_filters_after_an_approximate_search(engine: SearchEngine) -> None:
    store = opensearch(engine)
    LangChainTarget(store).upsert([chunk(n, f"file:{n}", page=n) for n in range(3)])

    retriever(store, "file:1", strategy="post_filter").invoke("Who?", filter={"page": 1})
    assert "script_score" in engine.bodies("/_search")[-1]["query"]
    # Filters that a script would ignore cannot be combined.
    own = {"efficient_filter": {"term": {"metadata.page": 1}}}
    assert adapter_of(store).combined(own, adapter_of(store).search_kwargs(["file:1"])) is None


def test_opensearch_serverless_is_refused(engine: SearchEngine) -> None:
    store: Any = opensearch(engine)
    store.is_aoss = True
    with pytest.raises(ConfigurationError, match="Serverless"):
        LangChainTarget(store)
