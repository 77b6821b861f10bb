"""Tests peculiarities of Milvus, in both frameworks, on Milvus Lite."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex

from managed_sync import AccessChecker
from managed_sync.documents import Chunk
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import LangChainTarget
from managed_sync.langchain.stores import adapter_of, object_filter_for
from managed_sync.llama_index import LlamaIndexTarget, PermissionAwareRetriever
from managed_sync.llama_index.stores import adapter_of as adapter_of_index
from tests.support.hash_embeddings import DIMENSIONS, HashEmbedding, HashEmbeddings
from tests.support.milvus import langchain_milvus, llama_index_milvus
from tests.support.permission_service import FakePermissionService

IDS = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(4)]
ODD = r"""C:\temp\'"] or true or "\" """


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("milvus")


def chunk(number: int, object_id: str = "file:1", **metadata: str | int) -> Chunk:
    ids = {"object_id": object_id, "chunk_id": IDS[number]}
    return Chunk(f"text {number}", {**ids, **metadata})


def index_over(store: Any) -> VectorStoreIndex:
    storage = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex([], storage_context=storage, embed_model=HashEmbedding())


@pytest.mark.parametrize("kind", ["HNSW", "AUTOINDEX"])
def test_an_approximate_index_is_not_exact(folder: Path, kind: str) -> None:
    store = langchain_milvus(
        HashEmbeddings(), folder, index_params={"index_type": kind, "metric_type": "COSINE"}
    )
    LangChainTarget(store).upsert([chunk(1)])

    assert not adapter_of(store).exact
    assert not adapter_of_index(
        llama_index_milvus(DIMENSIONS, folder, index_config={"index_type": kind})
    ).exact


def test_a_search_within_a_radius_is_not_exact(folder: Path) -> None:
    settings: dict[str, Any] = {"search_params": {"metric_type": "L2", "params": {"radius": 0.1}}}
    store = langchain_milvus(HashEmbeddings(), folder, **settings)
    LangChainTarget(store).upsert([chunk(1)])

    assert not adapter_of(store).exact
    within: dict[str, Any] = {"search_config": {"params": {"radius": 0.1}}}
    assert not adapter_of_index(llama_index_milvus(DIMENSIONS, folder, **within)).exact


def test_a_store_without_a_collection_is_empty_and_not_exact(folder: Path) -> None:
    adapter = adapter_of(langchain_milvus(HashEmbeddings(), folder))

    assert not adapter.exact
    assert adapter.chunk_count() is None
    assert adapter.existing_ids(IDS) == set()
    assert list(adapter.chunk_ids({"object_id": "file:1"}) or ()) == []
    assert adapter.count({"object_id": "file:1"}) == 0


@pytest.mark.parametrize("settings", [{"auto_id": True}, {"enable_dynamic_field": False}])
def test_a_store_that_would_lose_ids_or_metadata_is_refused(
    folder: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError, match="enable_dynamic_field=True and auto_id=False"):
        LangChainTarget(langchain_milvus(HashEmbeddings(), folder, **settings))


def test_a_store_with_all_metadata_in_one_field_is_not_filtered(folder: Path) -> None:
    settings: dict[str, Any] = {"enable_dynamic_field": False, "metadata_field": "about"}
    store = langchain_milvus(HashEmbeddings(), folder, **settings)
    assert object_filter_for(store) is None
    with pytest.raises(ConfigurationError, match="enable_dynamic_field=True"):
        LangChainTarget(store)


def test_metadata_that_a_chunk_no_longer_has_finds_it_no_longer(folder: Path) -> None:
    targets: list[Any] = [
        LangChainTarget(langchain_milvus(HashEmbeddings(), folder)),
        LlamaIndexTarget(index_over(llama_index_milvus(DIMENSIONS, folder))),
    ]
    for target in targets:
        target.upsert([chunk(1, heading="Old"), chunk(2, heading="Old"), chunk(3, heading="Old")])
        target.upsert([chunk(1)], present={IDS[1]})
        target.update_metadata([chunk(2)])

        assert list(target.chunk_ids({"heading": "Old"})) == [IDS[3]]
        assert target.count({"object_id": "file:1"}) == 3


def test_llama_index_filters_by_texts_with_quotes_and_backslashes(folder: Path) -> None:
    index = index_over(llama_index_milvus(DIMENSIONS, folder))
    LlamaIndexTarget(index).upsert([chunk(1, title=ODD), chunk(2, title="true"), chunk(3)])
    retriever = PermissionAwareRetriever(
        index,
        checker=AccessChecker(FakePermissionService("file:1"), list_limit=None),
        bound_subject="a@x.example",
    )

    nodes, report = retriever.retrieve_with_report("q", filter={"title": ODD})

    assert [node.node.node_id for node in nodes] == [IDS[1]]
    assert report.complete
    with pytest.raises(ConfigurationError, match="cannot filter by the metadata a or b"):
        retriever.retrieve_with_report("q", filter={"a or b": "c"})


def test_an_id_with_any_letter_does_not_break_the_filter(folder: Path) -> None:
    objects = [f"file:{chr(code)}z" for code in (*range(1, 32), 34, 39, 92, 127, 0x2028)]
    store = langchain_milvus(HashEmbeddings(), folder)
    target = LangChainTarget(store)
    ids = [f"id {number}" for number in range(len(objects))]
    pairs = list(zip(objects, ids, strict=True))
    target.upsert([Chunk("a", {"object_id": each, "chunk_id": key}) for each, key in pairs])

    for each, key in pairs:
        assert list(target.chunk_ids({"object_id": each}) or ()) == [key]
    assert adapter_of(store).chunk_count(objects) == len(objects)


def test_an_expression_that_llama_index_would_ignore_is_not_combined(folder: Path) -> None:
    index = index_over(llama_index_milvus(DIMENSIONS, folder))
    own: dict[str, Any] = {"vector_store_kwargs": {"string_expr": "page == 1"}}
    adapter = adapter_of_index(index.vector_store, index)
    assert adapter.combined(own, adapter.search_kwargs(["file:1"])) is None

    with pytest.raises(ConfigurationError, match="cannot combine filter"):
        PermissionAwareRetriever(
            index,
            checker=AccessChecker(FakePermissionService("file:1")),
            filter={"page": 1},
            **own,
        ).retrieve("q")
