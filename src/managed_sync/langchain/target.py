"""Lets ``IndexSync`` write into a LangChain vector store."""

from __future__ import annotations

from collections.abc import Sequence, Set

from langchain_core.vectorstores import VectorStore

from managed_sync.documents import Chunk
from managed_sync.errors import IndexingError
from managed_sync.langchain.conversion import to_langchain

__all__ = ["LangChainTarget"]


class LangChainTarget:
    """A vector store as the target of an index.

    Args:
        vectorstore: Any store that takes ids with its documents and deletes by id.
    """

    def __init__(self, vectorstore: VectorStore) -> None:
        self._store = vectorstore

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str] = frozenset()) -> None:
        """Writes chunks; one whose id is there already is replaced, as LangChain's stores do.

        Raises:
            IndexingError: The store did not confirm every chunk.
        """
        ids = [chunk.chunk_id for chunk in chunks]
        confirmed = self._store.add_documents([to_langchain(chunk) for chunk in chunks], ids=ids)
        if list(confirmed) != ids:
            raise IndexingError(
                f"The vector store confirmed {len(confirmed)} of {len(ids)} chunks, or gave them "
                f"other ids than it was told; use one that keeps the ids it is given."
            )

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks; one that is not there is no error.

        Raises:
            IndexingError: The store says that it did not.
        """
        if self._store.delete(list(chunk_ids)) is False:
            raise IndexingError(f"The vector store did not delete {len(chunk_ids)} chunks.")
