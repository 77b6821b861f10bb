"""LlamaIndex's stores: a filtered retrieval is the exhaustive ranking of the allowed chunks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.storage import StorageContext
from llama_index.core.vector_stores import (
    FilterCondition,
    MetadataFilter,
    MetadataFilters,
    SimpleVectorStore,
)
from llama_index.core.vector_stores.types import BasePydanticVectorStore

from managed_sync import AccessChecker, ObjectIdField
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index import PermissionAwareRetriever
from managed_sync.llama_index.stores import chunk_count, object_filter_for
from managed_sync.retrieval.effects import Strategy
from managed_sync.retrieval.object_filter import ObjectFilter
from tests.stores.chunks import (
    CHUNKS,
    NUMBER_OF,
    OBJECT_OF,
    OBJECTS,
    ODD_OBJECTS,
    ranking_within,
)
from tests.support.hash_embeddings import DIMENSIONS, HashEmbedding
from tests.support.llama_index_postgres import llama_index_pgvector
from tests.support.milvus import llama_index_milvus
from tests.support.permission_service import FakePermissionService

QUESTION = "Who signed?"


def simple(_: Path) -> BasePydanticVectorStore:
    return SimpleVectorStore()


def qdrant(_: Path) -> BasePydanticVectorStore:
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    return QdrantVectorStore("chunks", client=QdrantClient(":memory:"))


def chroma(folder: Path) -> BasePydanticVectorStore:
    from chromadb import PersistentClient
    from llama_index.vector_stores.chroma import ChromaVectorStore

    collection = PersistentClient(str(folder)).create_collection("chunks")
    return ChromaVectorStore(collection)


def milvus(folder: Path) -> BasePydanticVectorStore:
    return llama_index_milvus(DIMENSIONS, folder)


def pgvector(_: Path, postgres: str) -> BasePydanticVectorStore:
    store: BasePydanticVectorStore = llama_index_pgvector(DIMENSIONS, postgres)
    return store


STORES: dict[Callable[..., BasePydanticVectorStore], bool] = {
    simple: True,
    qdrant: True,
    chroma: False,
    milvus: True,
    pgvector: True,
}


@pytest.fixture(scope="module", params=STORES, ids=lambda make: make.__name__)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[VectorStoreIndex, bool]:
    """An index over one of the stores, and whether that searches exhaustively."""
    make: Callable[..., BasePydanticVectorStore] = request.param
    postgres = [request.getfixturevalue("postgres")] if make is pgvector else []
    store = make(tmp_path_factory.mktemp(make.__name__), *postgres)
    nodes = [
        TextNode(
            id_=str(chunk.id),
            text=chunk.page_content,
            metadata=chunk.metadata,
            excluded_embed_metadata_keys=list(chunk.metadata),
        )
        for chunk in CHUNKS
    ]
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex(nodes, storage_context=context, embed_model=HashEmbedding())
    return index, STORES[make]


def filter_of(index: VectorStoreIndex) -> ObjectFilter:
    object_filter = object_filter_for(index)
    assert object_filter is not None
    return object_filter


def search(index: VectorStoreIndex, k: int, object_ids: list[str]) -> list[str]:
    kwargs: dict[str, Any] = filter_of(index).search_kwargs(object_ids)
    found = index.as_retriever(similarity_top_k=k, **kwargs).retrieve(QUESTION)
    return [hit.node.metadata["chunk_id"] for hit in found]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("k", [1, 10, 1000])
@pytest.mark.parametrize(
    "objects",
    [OBJECTS[25:26], OBJECTS[::4], OBJECTS, *([object_id] for object_id in ODD_OBJECTS)],
    ids=["one", "ten", "all", *ODD_OBJECTS],
)
def test_a_filtered_retrieval_is_the_exhaustive_ranking_of_these_objects(
    filled: tuple[VectorStoreIndex, bool], objects: list[str], k: int
) -> None:
    index, exact = filled
    expected = ranking_within(QUESTION, set(objects))
    found = search(index, k, objects)
    assert set(found) <= set(expected)
    assert len(found) == len(set(found)) <= k
    if exact:
        assert found == expected[:k]


@pytest.mark.parametrize("foreign", [[], [""], ["file:nowhere"], ["file:' OR 1=1 --"], ["%"]])
def test_no_ids_or_foreign_ones_find_nothing(
    filled: tuple[VectorStoreIndex, bool], foreign: list[str]
) -> None:
    assert search(filled[0], 10, foreign) == []


def test_as_many_ids_as_it_says_fit_into_one_search_and_no_more(
    filled: tuple[VectorStoreIndex, bool],
) -> None:
    index, _ = filled
    most = filter_of(index).max_objects
    assert most is not None
    absent = [f"file:absent {number}" for number in range(most)]
    found = search(index, 10, [OBJECTS[0], *absent[1:]])
    assert {OBJECT_OF[chunk_id] for chunk_id in found} == {OBJECTS[0]}
    with pytest.raises(ValueError, match=f"at most {most}"):
        filter_of(index).search_kwargs([OBJECTS[0], *absent])


def test_an_index_says_truthfully_how_it_searches_and_what_it_holds(
    filled: tuple[VectorStoreIndex, bool],
) -> None:
    index, exact = filled
    assert filter_of(index).exact is exact
    counts = "PG" not in type(index.vector_store).__name__
    assert chunk_count(index) == (len(CHUNKS) if counts else None)


def test_a_store_that_is_not_known_has_no_filter() -> None:
    class Unknown(BasePydanticVectorStore):
        stores_text: bool = True

        @property
        def client(self) -> None:
            return None

        def add(self, nodes: Any, **_: Any) -> list[str]:
            return [node.node_id for node in nodes]

        def delete(self, ref_doc_id: str, **_: Any) -> None: ...

        def query(self, query: Any, **_: Any) -> Any: ...

    index = VectorStoreIndex.from_vector_store(Unknown(), embed_model=HashEmbedding())
    assert object_filter_for(index) is None
    assert chunk_count(index) is None


def number_is(value: int) -> MetadataFilter:
    return MetadataFilter(key="chunk_index", value=value)


# Some chunks, by LlamaIndex's filters and by a mapping of equal metadata.
OWN_FILTERS: dict[str, tuple[Any, set[int]]] = {
    "mapping": ({"chunk_index": 4}, {4}),
    "filters": (MetadataFilters(filters=[number_is(4)]), {4}),
    "either": (
        MetadataFilters(filters=[number_is(2), number_is(4)], condition=FilterCondition.OR),
        {2, 4},
    ),
}


@pytest.mark.parametrize("strategy", ["auto", "post_filter", "pre_filter"])
@pytest.mark.parametrize("own", OWN_FILTERS)
def test_the_callers_filter_and_permissions_hold_together(
    filled: tuple[VectorStoreIndex, bool], strategy: Strategy, own: str
) -> None:
    index, exact = filled
    readable = OBJECTS[::4]
    own_filter, numbers = OWN_FILTERS[own]
    retriever = PermissionAwareRetriever(
        index,
        checker=AccessChecker(FakePermissionService(*readable), list_limit=None),
        k=6,
        strategy=strategy,
        bound_subject="a@x.example",
    )
    best = [each for each in ranking_within(QUESTION, set(readable)) if NUMBER_OF[each] in numbers]
    # It has no filters inside filters, so it cannot search among objects too.
    is_alone = isinstance(index.vector_store, SimpleVectorStore) and own == "either"
    if is_alone and strategy == "pre_filter":
        with pytest.raises(ConfigurationError, match="pre_filter"):
            retriever.retrieve_with_report(QUESTION, filter=own_filter)
        return
    nodes, report = retriever.retrieve_with_report(QUESTION, filter=own_filter)

    found = [node.node.metadata["chunk_id"] for node in nodes]
    assert set(found) <= set(best)
    assert report.complete or not exact
    assert found == best[:6] or not report.complete
    # Together with one of the retriever's own that rules out all that is left.
    nothing = PermissionAwareRetriever(
        index,
        checker=AccessChecker(FakePermissionService(*readable), list_limit=None),
        filters=MetadataFilters(filters=[number_is(7)]),
        filter={"object_id": readable[0]},
        bound_subject="a@x.example",
    )
    assert {NUMBER_OF[node.node.metadata["chunk_id"]] for node in nothing.retrieve(QUESTION)} == {7}
    if not is_alone:
        assert nothing.retrieve_with_report(QUESTION, filter=own_filter)[0] == []
    else:
        with pytest.raises(ConfigurationError, match="cannot combine filter"):
            nothing.retrieve_with_report(QUESTION, filter=own_filter)


@pytest.mark.parametrize("strategy", ["auto", "pre_filter"])
def test_it_is_confined_by_the_field_that_names_objects_in_this_index(
    filled: tuple[VectorStoreIndex, bool], strategy: Strategy
) -> None:
    index, exact = filled
    readable = [str(chunk.id) for chunk in CHUNKS[::50]]
    service = FakePermissionService(*(f"page:{each}" for each in readable))
    retriever = PermissionAwareRetriever(
        index,
        checker=AccessChecker(service, list_limit=None),
        object_id=ObjectIdField("chunk_id", add_prefix="page:"),
        strategy=strategy,
        k=4,
    )
    nodes, report = retriever.retrieve_with_report(QUESTION, subject="a@x.example")
    best = [each for each in ranking_within(QUESTION, set(OBJECTS)) if each in readable][:4]
    assert [scored.node.metadata["chunk_id"] for scored in nodes] == best or not exact
    assert {scored.node.metadata["chunk_id"] for scored in nodes} <= set(readable)
    assert report.complete or not exact
    assert (len(nodes), report.rounds) == (4, 1) or strategy == "auto"
