"""Splits LangChain documents into chunks that carry the id of their source object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.documents import BaseDocumentTransformer, Document

from managed_sync.documents import Chunk, Chunker, SplitPiece
from managed_sync.langchain.conversion import from_langchain, to_langchain

__all__ = ["ManagedSyncSplitter"]


class ManagedSyncSplitter(BaseDocumentTransformer):
    """Splits by tokens along headings, paragraphs and sentences, never inside a word.

    Args:
        chunk_size: Tokens in a chunk at most.
        chunk_overlap: Tokens that a chunk repeats of the one before it, at most.
        encoding: A tiktoken encoding, which says what a token is.
        heading_prefix: Whether ``page_content``, which is all that LangChain embeds, begins with
            the path of headings, on top of ``chunk_size``. The chunk itself is then
            ``page_content[metadata["prefix_chars"]:]``.
        splitter: Any LangChain splitter or document transformer that cuts instead; the sizes then
            mean nothing. Its chunks get ids and, where they stand in the document word for word,
            offsets, heading and page.

    Raises:
        ConfigurationError: The sizes make no sense, or the encoding cannot be had.

    Examples:
        ```python
        chunks = ManagedSyncSplitter(chunk_size=512).transform_documents(loader.lazy_load())
        store.add_documents(chunks, ids=[chunk.id for chunk in chunks])

        ManagedSyncSplitter(splitter=RecursiveCharacterTextSplitter()).transform_documents(documents)
        ```
    """

    def __init__(
        self,
        chunk_size: int = 512,
        chunk_overlap: int = 64,
        encoding: str = "cl100k_base",
        *,
        heading_prefix: bool = False,
        splitter: BaseDocumentTransformer | None = None,
    ) -> None:
        self._chunker = Chunker(chunk_size, chunk_overlap, encoding)
        self._heading_prefix = heading_prefix
        self._splitter = splitter

    def transform_documents(self, documents: Iterable[Document], **_: Any) -> list[Document]:
        """The documents' chunks, in order; each has its ``chunk_id`` as ``id``.

        Raises:
            InvalidIdentifierError: A document has no ``object_id``, so that its chunks could
                never be checked.
            DocumentError: The splitter changed the ``object_id``, or added metadata that is not
                text, a number or a boolean.
        """
        return [
            to_langchain(chunk, heading_prefix=self._heading_prefix)
            for document in documents
            for chunk in self._split(document)
        ]

    def split_documents(self, documents: Iterable[Document]) -> list[Document]:
        """The same, under the name that ``BaseLoader.load_and_split`` calls."""
        return self.transform_documents(documents)

    def _split(self, document: Document) -> list[Chunk]:
        source = from_langchain(document)
        if self._splitter is None:
            return self._chunker.split(source)
        pieces = self._splitter.transform_documents([document])
        return self._chunker.from_splits(
            source,
            (
                SplitPiece(piece.page_content, piece.metadata, piece.metadata.get("start_index"))
                for piece in pieces
            ),
        )
