"""Splits LangChain documents into chunks that carry the id of their source object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.documents import BaseDocumentTransformer, Document

from managed_sync.documents import Chunker
from managed_sync.langchain.conversion import from_langchain, to_langchain

__all__ = ["ManagedSyncSplitter"]


class ManagedSyncSplitter(BaseDocumentTransformer):
    """Splits by tokens along headings, paragraphs and sentences, never inside a word.

    Args:
        chunk_size: Tokens in a chunk at most.
        chunk_overlap: Tokens that a chunk repeats of the one before it, at most.
        encoding: A tiktoken encoding, which says what a token is.

    Raises:
        ConfigurationError: The sizes make no sense, or the encoding cannot be had.

    Example:
        ```python
        chunks = ManagedSyncSplitter(chunk_size=512).transform_documents(loader.lazy_load())
        store.add_documents(chunks, ids=[chunk.id for chunk in chunks])
        ```
    """

    def __init__(
        self, chunk_size: int = 512, chunk_overlap: int = 64, encoding: str = "cl100k_base"
    ) -> None:
        self._chunker = Chunker(chunk_size, chunk_overlap, encoding)

    def transform_documents(self, documents: Iterable[Document], **_: Any) -> list[Document]:
        """The documents' chunks, in order; each has its ``chunk_id`` as ``id``.

        Raises:
            InvalidIdentifierError: A document has no ``object_id``, so that its chunks could
                never be checked.
        """
        return [
            to_langchain(chunk)
            for document in documents
            for chunk in self._chunker.split(from_langchain(document))
        ]

    def split_documents(self, documents: Iterable[Document]) -> list[Document]:
        """The same, under the name that ``BaseLoader.load_and_split`` calls."""
        return self.transform_documents(documents)
