"""Splits LangChain documents into chunks that carry the id of their source object."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.documents import BaseDocumentTransformer, Document

from managed_sync.documents import Chunk, Chunker, SplitPiece
from managed_sync.documents.chunking.chunker import DEFAULT_CHUNK_SIZE
from managed_sync.langchain.conversion import from_langchain, to_langchain

__all__ = ["ManagedSyncSplitter"]


class ManagedSyncSplitter(BaseDocumentTransformer):
    """Splits by tokens along headings, paragraphs and sentences, never inside a word.

    A chunk that begins inside a table begins with the names of the columns. The chunk itself is
    then ``page_content[metadata["prefix_chars"]:]``.

    Args:
        chunk_size: The maximum number of tokens in a chunk.
        chunk_overlap: The maximum number of tokens that a chunk repeats from the one before it.
        encoding: The tiktoken encoding that counts the tokens.
        heading_prefix: Whether to begin ``page_content``, the only text that LangChain embeds, with
            the path of headings, in addition to ``chunk_size``. The chunk itself is then
            ``page_content[metadata["prefix_chars"]:]``.
        splitter: A LangChain splitter or document transformer that splits instead; the sizes are
            ignored then. Its chunks get ids and, if their text is found in the document unchanged,
            offsets, heading and page.

    Raises:
        ConfigurationError: The sizes do not fit together, or the encoding is not available.

    Examples:
        ```python
        chunks = ManagedSyncSplitter(chunk_size=512).transform_documents(loader.lazy_load())
        store.add_documents(chunks, ids=[chunk.id for chunk in chunks])

        ManagedSyncSplitter(splitter=RecursiveCharacterTextSplitter()).transform_documents(documents)
        ```
    """

    def __init__(
        self,
        chunk_size: int = DEFAULT_CHUNK_SIZE,
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
        """Returns the documents' chunks, in order; each has its ``chunk_id`` as ``id``.

        Raises:
            InvalidIdentifierError: A document has no ``object_id``, so its chunks could not be
                checked.
            DocumentError: The splitter changed the ``object_id``, or added metadata that is not
                text, a number or a boolean.
        """
        return [
            to_langchain(chunk, heading_prefix=self._heading_prefix)
            for document in documents
            for chunk in self._split(document)
        ]

    def split_documents(self, documents: Iterable[Document]) -> list[Document]:
        """Does what ``transform_documents`` does, under the name that LangChain's loaders call."""
        return self.transform_documents(documents)

    def _split(self, document: Document) -> list[Chunk]:
        source = from_langchain(document)
        if self._splitter is None:
            return self._chunker.split(source)
        own = Document(source.text, metadata=dict(source.metadata))
        pieces = self._splitter.transform_documents([own])
        return self._chunker.from_splits(
            source,
            (
                SplitPiece(piece.page_content, piece.metadata, piece.metadata.get("start_index"))
                for piece in pieces
            ),
        )
