"""The bundled embedding for LlamaIndex."""

from __future__ import annotations

from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import PrivateAttr

from managed_sync.bundled_embedding import BundledModel, load_bundled_model

__all__ = ["BundledEmbedding"]


class BundledEmbedding(BaseEmbedding):
    """Embeds on this machine with a small static model that is installed with a package.

    It needs no account, key or download, and is meant for trying things out. In production, use an
    embedding model of your choice.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
    """

    model_name: str = "wordllama-256"

    _model: BundledModel = PrivateAttr()

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        self._model = load_bundled_model()

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which LlamaIndex serializes this embedding."""
        return "BundledEmbedding"

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._model.embed([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return self._model.embed(texts)

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)
