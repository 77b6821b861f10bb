"""Embeddings that depend on nothing but the text, for each framework."""

from __future__ import annotations

import hashlib

import numpy as np
from langchain_core.embeddings import Embeddings
from llama_index.core.embeddings import BaseEmbedding
from numpy.typing import NDArray

DIMENSIONS = 16


class HashEmbeddings(Embeddings):
    """Unit vectors that depend on nothing but the text."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = hash_vector(text).tolist()
        return vector


def hash_vector(text: str) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
    vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
    unit: NDArray[np.float64] = vector / np.linalg.norm(vector)
    return unit


class HashEmbedding(BaseEmbedding):
    """The same vectors as in LangChain's tests."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return HashEmbeddings().embed_query(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)
