"""The bundled embedding for LangChain."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from managed_sync.bundled_embedding import load_bundled_model

__all__ = ["BundledEmbeddings"]


class BundledEmbeddings(Embeddings):
    """Embeds on this machine with a small static model that is installed with a package.

    It needs no account, key or download, and is meant for trying things out. In production, use an
    embedding model of your choice.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
    """

    def __init__(self) -> None:
        self._model = load_bundled_model()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Returns one vector of 256 dimensions and length 1 per text."""
        return self._model.embed(texts)

    def embed_query(self, text: str) -> list[float]:
        """Returns the vector of a question."""
        return self._model.embed([text])[0]
