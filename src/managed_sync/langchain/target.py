"""Lets ``IndexSync`` write into a LangChain vector store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import ClassVar

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from managed_sync.documents import Chunk
from managed_sync.documents.vectors import Vector, checked_vectors, raise_for_dimensions
from managed_sync.errors import ConfigurationError, IndexingError
from managed_sync.indexing.fingerprint import model_behind_caches, model_settings
from managed_sync.indexing.targets.base import StoredChunk, wrapper_of
from managed_sync.indexing.targets.embedded_text import EMBEDDABLE
from managed_sync.langchain.conversion import to_langchain, without_prefix
from managed_sync.langchain.stores import adapter_of
from managed_sync.langchain.stores.base import LangChainAdapter
from managed_sync.langchain.stores.kept_vectors import embedding_model, keeps_model, writing_with
from managed_sync.stores.target import StoreTarget

__all__ = ["LangChainTarget"]


class LangChainTarget(StoreTarget[LangChainAdapter]):
    """A vector store as the target of an index.

    In known stores (see ``docs/how-to/stores.md``), new metadata is written without embedding
    the text again, except for what ``embeds`` names.

    Args:
        vectorstore: Any store that takes ids with its documents and deletes by id.
        embeds: The metadata that is embedded before the text of each chunk: ``"title"``, and
            ``"headings"`` for the path of headings. Both by default; ``()`` embeds the text alone.
            The stored text stays as it is. A store that embeds on its server sees nothing else, so
            there the default is ``()``.

    Raises:
        ConfigurationError: ``vectorstore`` is not a vector store, ``embeds`` names anything else,
            or the store embeds on its server.
    """

    first_embedded_parts: ClassVar[str] = "text"

    def __init__(self, vectorstore: VectorStore, *, embeds: Sequence[str] | None = None) -> None:
        if not isinstance(vectorstore, VectorStore):
            raise ConfigurationError(
                f"vectorstore must be a vector store of LangChain, got "
                f"{type(vectorstore).__name__}. Pass {wrapper_of(vectorstore) or 'a VectorStore'}."
            )
        super().__init__(adapter_of(vectorstore), _checked(embeds, vectorstore))
        self._store = vectorstore
        self._adapter.refuse_unless_writable()

    @property
    def fingerprint(self) -> str:
        """Returns a description of the embedding model, as far as it can be described."""
        return model_settings(embedding_model(self._store))

    @property
    def can_embed(self) -> bool:
        """Returns whether the store takes vectors. A store that embeds on its server does not."""
        return keeps_model(self._store)

    def embed(self, chunks: Sequence[Chunk], *, cached: bool = True) -> list[Vector]:
        """Returns one vector for each chunk, and changes nothing.

        Raises:
            IndexingError: A vector is missing or cannot be searched.
        """
        model = embedding_model(self._store)
        if not cached:
            model = model_behind_caches(model)
        assert model is not None  # noqa: S101 - callers ask can_embed first
        texts = [self.embedded_text(chunk) for chunk in chunks]
        return checked_vectors(model.embed_documents(texts), len(texts))

    def write(
        self, chunks: Sequence[Chunk], vectors: Sequence[Vector], present: Set[str] = frozenset()
    ) -> None:
        """Writes chunks with their vectors; one whose id is there already is replaced.

        Raises:
            IndexingError: A vector does not fit the store, or it did not confirm every chunk.
            ConfigurationError: The store would replace chunks of another collection.
        """
        raise_for_dimensions(vectors, self._adapter.dimensions())
        documents = self._adapter.prepared([to_langchain(chunk) for chunk in chunks], vectors[0])
        for group, kept in _by_text(documents, vectors):
            replaced = present & {str(document.id) for document in group}
            with writing_with(self._store, kept):
                self._adapter.write(group, replaced, self._add)

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str] = frozenset()) -> None:
        """Embeds and writes chunks; one whose id is there already is replaced.

        Raises:
            IndexingError: A vector does not fit the store, or it did not confirm every chunk.
            ConfigurationError: The store would replace chunks of another collection.
        """
        if self.can_embed:
            self.write(chunks, self.embed(chunks), present)
        else:
            self._adapter.write([to_langchain(chunk) for chunk in chunks], present, self._add)

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        """Writes the metadata of chunks that are there."""
        self._adapter.update_metadata([to_langchain(chunk) for chunk in chunks])

    def read(
        self, chunk_ids: Sequence[str], *, vectors: bool = False
    ) -> Sequence[StoredChunk] | None:
        """Returns the stored chunks with these ids; ``None`` if the store cannot say."""
        found = super().read(chunk_ids, vectors=vectors)
        return None if found is None else [without_prefix(stored) for stored in found]

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks; one that is not there is no error.

        Raises:
            IndexingError: The store reports that it did not remove them.
        """
        deletable = self._adapter.deletable(chunk_ids)
        options = self._adapter.delete_options
        if deletable and self._store.delete(deletable, **options) is False:
            raise IndexingError(f"The vector store did not delete {len(deletable)} chunks.")

    def _add(self, documents: Sequence[Document]) -> None:
        ids = [str(document.id) for document in documents]
        confirmed = self._store.add_documents(list(documents), ids=ids)
        if confirmed is not None and sorted(confirmed) == sorted(ids):
            return
        self._remove_copies(sorted(set(confirmed or ()) - set(ids)), set(ids))
        raise IndexingError(
            f"The vector store confirmed {len(confirmed or ())} of {len(ids)} chunks, or changed "
            f"their ids. Use a store that keeps the ids that it is given."
        )

    def _remove_copies(self, others: Sequence[str], ids: Set[str]) -> None:
        """Removes chunks that were written under other ids and would stay for good.

        A store may confirm any ids. Only a chunk whose metadata names a chunk of this write is a
        copy of it.
        """
        if not others:
            return
        try:
            found = self._store.get_by_ids(list(others))
        except NotImplementedError:
            return
        named = {str(one.id): one.metadata.get("chunk_id") for one in found}
        copies = [key for key in others if named.get(key) in ids]
        if copies:
            self._store.delete(copies, **self._adapter.delete_options)


def _checked(embeds: Sequence[str] | None, store: VectorStore) -> Sequence[str]:
    takes_vectors = keeps_model(store)
    if embeds is None:
        return EMBEDDABLE if takes_vectors else ()
    if embeds and not takes_vectors:
        raise ConfigurationError(
            f"{type(store).__name__} embeds the stored text itself, so embeds must be () or left "
            f"out. To embed headings, put them into the text, for example with "
            f"ManagedSyncSplitter(heading_prefix=True) in a pipeline of your own."
        )
    return embeds


def _by_text(
    documents: Sequence[Document], vectors: Sequence[Vector]
) -> Iterator[tuple[list[Document], dict[str, Vector]]]:
    """Groups documents so that the vector of each one in a group is found by its text.

    Two chunks with the same text have different vectors if their titles or headings differ.
    """
    groups: list[tuple[list[Document], dict[str, Vector]]] = []
    for document, vector in zip(documents, vectors, strict=True):
        text = document.page_content
        for group, kept in groups:
            if kept.setdefault(text, vector) == vector:
                group.append(document)
                break
        else:
            groups.append(([document], {text: vector}))
    yield from groups
