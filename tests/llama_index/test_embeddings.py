"""Embedding models of LlamaIndex's own packages: chunks and questions reach the vendor as texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.embeddings.azure_openai import AzureOpenAIEmbedding
from llama_index.embeddings.ollama import OllamaEmbedding
from llama_index.embeddings.openai import OpenAIEmbedding

from managed_sync.documents import Chunk
from managed_sync.llama_index import LlamaIndexTarget
from tests.support.embedding_apis import EmbeddingApis, embedding_apis


@pytest.fixture(scope="module")
def apis() -> Iterator[EmbeddingApis]:
    with embedding_apis() as apis:
        yield apis


@pytest.mark.parametrize(
    "model_of",
    [
        lambda apis: OpenAIEmbedding(
            model="text-embedding-3-small", api_base=f"{apis.url}/v1", api_key=apis.key
        ),
        lambda apis: AzureOpenAIEmbedding(
            deployment_name="our-embeddings",
            azure_endpoint=apis.url,
            api_key=apis.key,
            api_version="2024-10-21",
        ),
        lambda apis: OllamaEmbedding("nomic-embed-text", base_url=apis.url),
    ],
    ids=["openai", "azure", "ollama"],
)
def test_an_index_is_filled_and_asked_with_a_vendors_model(
    model_of: Callable[[EmbeddingApis], BaseEmbedding], apis: EmbeddingApis
) -> None:
    apis.texts.clear()
    index = VectorStoreIndex(nodes=[], embed_model=model_of(apis))
    chunks = [
        Chunk(text=text, metadata={"object_id": f"file:{name}", "chunk_id": name, "title": name})
        for name, text in {"hotels": "The company pays.", "lunch": "Soup is at noon."}.items()
    ]

    LlamaIndexTarget(index).upsert(chunks)
    (found,) = index.as_retriever(similarity_top_k=1).retrieve("Who pays for hotels?")

    assert found.node.metadata["object_id"] == "file:hotels"
    # OpenAI's class writes spaces in place of lines' ends.
    assert [" ".join(text.split()) for text in apis.texts] == [
        "hotels The company pays.",
        "lunch Soup is at noon.",
        "Who pays for hotels?",
    ]
