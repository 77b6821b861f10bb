"""Tests names of metadata that Qdrant would read as paths; its local mode reads them as servers do.

A server's rules are in ``lib/segment/src/json_path/parse.rs`` of ``qdrant/qdrant``.
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_qdrant import QdrantVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.vector_stores.qdrant import QdrantVectorStore as LlamaIndexQdrant
from qdrant_client import QdrantClient

from managed_sync import AccessChecker, langchain, llama_index
from managed_sync.errors import ConfigurationError
from tests.support.hash_embeddings import HashEmbedding, HashEmbeddings
from tests.support.permission_service import FakePermissionService

NAMES = ["dept.name", "q[]", "q[0]", "a b", "été", "x-y"]
CHUNKS: dict[str, dict[str, Any]] = {
    "own": {"object_id": "file:1", **dict.fromkeys(NAMES, "hr")},
    "beside": {"object_id": "file:1", "q": ["hr"], "dept": {"name": "hr"}},
}
CHECKER = AccessChecker(FakePermissionService("file:1"), list_limit=None)


def over_langchain() -> Any:
    store = QdrantVectorStore.from_texts(
        list(CHUNKS),
        HashEmbeddings(),
        list(CHUNKS.values()),
        location=":memory:",
        metadata_payload_key="meta.data",
    )
    return langchain.PermissionAwareRetriever(vectorstore=store, checker=CHECKER)


def over_llama_index() -> Any:
    store = LlamaIndexQdrant("chunks", client=QdrantClient(":memory:"))
    index = VectorStoreIndex(
        [TextNode(text=text, metadata=metadata) for text, metadata in CHUNKS.items()],
        storage_context=StorageContext.from_defaults(vector_store=store),
        embed_model=HashEmbedding(),
    )
    return llama_index.PermissionAwareRetriever(index, checker=CHECKER)


@pytest.mark.parametrize("make", [over_langchain, over_llama_index], ids=lambda make: make.__name__)
def test_a_filter_compares_the_field_of_that_name_only(make: Any) -> None:
    retriever = make()

    for name in NAMES:
        found, report = retriever.retrieve_with_report(
            "q", subject="a@x.example", filter={name: "hr"}
        )
        assert [getattr(each, "page_content", "") or each.text for each in found] == ["own"], name
        assert report.complete
    for name in ('a"b', "a\\b", ""):
        with pytest.raises(ConfigurationError, match="Qdrant cannot filter by the metadata"):
            retriever.retrieve_with_report("q", subject="a@x.example", filter={name: "hr"})
