"""A LlamaIndex index as the target."""

from __future__ import annotations

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from managed_sync.documents import Chunk
from managed_sync.llama_index import LlamaIndexTarget

IDS = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(4)]


def chunk(number: int, text: str = "text") -> Chunk:
    offsets = {"start_char": 0, "end_char": len(text), "chunk_index": number}
    return Chunk(text, {"object_id": "file:1", "chunk_id": IDS[number], **offsets})


@pytest.fixture(params=["simple", "qdrant"])
def index(request: pytest.FixtureRequest) -> VectorStoreIndex:
    store = (
        SimpleVectorStore()
        if request.param == "simple"
        else QdrantVectorStore("chunks", client=QdrantClient(":memory:"))
    )
    storage = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex([], storage_context=storage, embed_model=MockEmbedding(embed_dim=8))


def stored(index: VectorStoreIndex) -> dict[str, str]:
    found = index.as_retriever(similarity_top_k=100).retrieve("q")
    return {scored.node.node_id: scored.node.get_content() for scored in found}


def test_chunks_are_written_under_their_ids_replaced_and_removed(index: VectorStoreIndex) -> None:
    target = LlamaIndexTarget(index)

    target.upsert([chunk(1), chunk(2)])
    target.upsert([chunk(2, "new text"), chunk(3)], present={IDS[2]})
    target.delete([IDS[1]])
    target.delete([IDS[0]])

    assert stored(index) == {IDS[2]: "new text", IDS[3]: "text"}
