"""Azure AI Search: what the adapter asks, and how it reads the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from langchain_core.vectorstores import VectorStore

from managed_sync import AccessChecker
from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever
from managed_sync.langchain.stores import adapter_of, object_filter_for
from tests.stores.azure_search import AzureIndex
from tests.stores.chunks import ODD_OBJECTS
from tests.stores.recording_server import running
from tests.support.hash_embeddings import HashEmbeddings
from tests.support.permission_service import FakePermissionService

IDS = [f"00000000-0000-0000-0000-0000000000{number:02}" for number in range(100)]
NAMES = {"integration": "box", "sync_type": "files"}
ODD_TITLE = "it's a | b; c ~ d') or (true"
FILTERABLE = ["object_id", "title", "integration", "sync_type"]


@pytest.fixture
def index() -> Iterator[AzureIndex]:
    with running(AzureIndex()) as service:
        yield service


@pytest.fixture
def store(index: AzureIndex) -> Iterator[VectorStore]:
    made = store_with(index, FILTERABLE)
    yield made
    made.async_client = None  # which it would close in a loop of its own


def store_with(index: AzureIndex, names: list[str], hidden: Sequence[str] = ()) -> Any:
    models = pytest.importorskip("azure.search.documents.indexes.models")
    pytest.importorskip("azure.identity")
    from langchain_community.vectorstores import AzureSearch

    fields = [models.SimpleField(name="id", type="Edm.String", key=True, filterable=True)]
    fields += [models.SimpleField(name=n, type="Edm.String", filterable=True) for n in names]
    fields += [models.SimpleField(name=n, type="Edm.String", filterable=False) for n in hidden]
    fields += [models.SimpleField(name="page", type="Edm.Int32", filterable=True)]
    return AzureSearch(
        index.address, "key", "passages", HashEmbeddings(), search_type="similarity", fields=fields
    )


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


def search_sent(index: AzureIndex) -> dict[str, Any]:
    search: dict[str, Any] = index.bodies("search.post.search")[-1]
    return search


def test_a_search_among_objects_asks_for_them_inside_the_query(
    store: VectorStore, index: AzureIndex
) -> None:
    LangChainTarget(store).upsert([chunk(n, each) for n, each in enumerate(ODD_OBJECTS)])

    found, report = retriever(store, "file:0", "file:it's").retrieve_with_report("Who?")
    assert search_sent(index)["filter"] == "search.in(object_id, 'file:0|file:it''s', '|')"
    assert [document.metadata["object_id"] for document in found] == ["file:it's"]
    assert not report.complete
    for each in ODD_OBJECTS:
        found = retriever(store, each).invoke("Who?")
        assert [document.metadata["object_id"] for document in found] == [each]
        assert len(search_sent(index)["vectorQueries"]) == 1
    together = retriever(store, *ODD_OBJECTS, k=30).invoke("Who?")
    assert {one.metadata["object_id"] for one in together} == set(ODD_OBJECTS)


def test_ids_with_every_delimiter_are_compared_one_by_one(
    store: VectorStore, index: AzureIndex
) -> None:
    every = "file:|;~^`\x1f\x1e."
    LangChainTarget(store).upsert([chunk(1, every), chunk(2, "file:2")])

    found = retriever(store, every, "file:2").invoke("Who?")

    assert "search.in" not in search_sent(index)["filter"]
    assert len(found) == 2
    assert adapter_of(store).search_kwargs([]) == {"filters": "object_id eq ''"}


def test_the_callers_filter_and_the_objects_are_asked_for_together(
    store: VectorStore, index: AzureIndex
) -> None:
    target = LangChainTarget(store)
    target.upsert([chunk(n, f"file:{n}", page=n % 2, title=ODD_TITLE) for n in range(6)])
    asked = retriever(store, "file:1", "file:2")

    found = asked.invoke("Who?", filter={"page": 1, "title": ODD_TITLE})

    assert [document.metadata["chunk_id"] for document in found] == [IDS[1]]
    own = "page eq 1 and title eq 'it''s a | b; c ~ d'') or (true'"
    assert search_sent(index)["filter"] == (
        f"({own}) and (search.in(object_id, 'file:1|file:2', '|'))"
    )
    narrow = retriever(store, "file:1", "file:2", search_kwargs={"filters": "page eq 0"})
    assert [one.metadata["chunk_id"] for one in narrow.invoke("Who?")] == [IDS[2]]
    with pytest.raises(ConfigurationError, match="no such field"):
        asked.invoke("Who?", filter={"heading": "A"})


@pytest.mark.parametrize("hidden", [[], ["object_id"]], ids=["no field", "not filterable"])
def test_an_index_without_a_filterable_field_is_searched_like_an_unknown_one(
    index: AzureIndex, hidden: list[str]
) -> None:
    store = store_with(index, [], hidden)
    index.filterable.discard("object_id")
    LangChainTarget(store).upsert([chunk(n, f"file:{n}") for n in range(4)])

    found, report = retriever(store, "file:1", strategy="auto").retrieve_with_report("Who?")

    assert object_filter_for(store) is None
    assert [document.metadata["object_id"] for document in found] == ["file:1"]
    assert search_sent(index).get("filter") is None
    assert not report.complete
    store.async_client = None


def test_chunks_are_replaced_listed_updated_and_removed(
    store: VectorStore, index: AzureIndex
) -> None:
    target = LangChainTarget(store)
    target.upsert([chunk(1, title="Old"), chunk(2), chunk(3, integration="drive")])
    target.upsert([chunk(2, page=2)], present={IDS[2]})
    target.update_metadata([chunk(1, page=7), chunk(9)])
    target.delete([IDS[3], IDS[4]])

    assert target.existing_ids([IDS[1], IDS[3], IDS[9]]) == {IDS[1]}
    assert sorted(target.chunk_ids(NAMES) or ()) == IDS[1:3]
    assert target.chunk_ids({"heading": "A"}) is None
    assert target.count({"object_id": "file:1"}) == 2
    assert (index.documents[IDS[1]]["title"], index.documents[IDS[1]]["page"]) == (None, 7)
    kept = {each.chunk_id: each for each in target.read(IDS[:4], vectors=True) or ()}
    assert kept[IDS[1]].metadata == chunk(1, page=7).metadata
    assert (kept[IDS[2]].text, kept[IDS[2]].metadata) == ("text 2", chunk(2, page=2).metadata)
    assert kept[IDS[2]].vector == pytest.approx(target.embed([chunk(2)])[0])
    assert not adapter_of(store).exact
