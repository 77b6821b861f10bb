"""Lets ``IndexSync`` write into a LangChain vector store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from langchain_core.vectorstores import VectorStore

from managed_sync.documents import Chunk
from managed_sync.errors import IndexingError
from managed_sync.indexing.fingerprint import model_settings
from managed_sync.langchain.conversion import to_langchain
from managed_sync.langchain.stored_chunks import stored_chunks

__all__ = ["LangChainTarget"]


class LangChainTarget:
    """A vector store as the target of an index.

    In Qdrant, Chroma, FAISS, PostgreSQL, LanceDB and LangChain's in-memory store, metadata that
    changes is written without embedding the text again.

    Args:
        vectorstore: Any store that takes ids with its documents and deletes by id.
    """

    def __init__(self, vectorstore: VectorStore) -> None:
        self._store = vectorstore
        self._chunks = stored_chunks(vectorstore)

    @property
    def fingerprint(self) -> str:
        """The embedding model, as far as it can be told."""
        return model_settings(self._store.embeddings)

    @property
    def can_relabel(self) -> bool:
        """Whether metadata can be changed without embedding."""
        return self._chunks.can_relabel

    def embedded_text(self, chunk: Chunk) -> str:
        """LangChain's stores embed the text alone."""
        return chunk.text

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str] = frozenset()) -> None:
        """Writes chunks; one whose id is there already is replaced.

        Raises:
            IndexingError: The store did not confirm every chunk.
            ConfigurationError: The store would replace chunks of another collection.
        """
        if present and not self._chunks.replaces:
            self.delete(sorted(present))
        ids = [chunk.chunk_id for chunk in chunks]
        documents = self._chunks.writable([to_langchain(chunk) for chunk in chunks])
        with self._chunks.writing(documents):
            confirmed = self._store.add_documents(list(documents), ids=ids)
        if list(confirmed) != ids:
            raise IndexingError(
                f"The vector store confirmed {len(confirmed)} of {len(ids)} chunks, or gave them "
                f"other ids than it was told; use one that keeps the ids it is given."
            )

    def relabel(self, chunks: Sequence[Chunk]) -> None:
        """Writes the metadata of chunks that are there."""
        documents = [to_langchain(chunk) for chunk in chunks]
        with self._chunks.writing(documents):
            self._chunks.relabel(documents)

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks; one that is not there is no error.

        Raises:
            IndexingError: The store says that it did not.
        """
        deletable = self._chunks.deletable(chunk_ids)
        options = self._chunks.delete_options
        if deletable and self._store.delete(deletable, **options) is False:
            raise IndexingError(f"The vector store did not delete {len(deletable)} chunks.")

    def held(self, chunk_ids: Sequence[str]) -> Set[str] | None:
        """Those of some chunks that the store holds; ``None`` if it cannot say."""
        return self._chunks.held(chunk_ids)

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """All chunks that have this metadata; ``None`` if the store cannot say."""
        return self._chunks.ids(metadata)
