"""What the index target asks of the stores that people use with LangChain.

LangChain's interface adds, deletes and gets by id. What it lacks, this asks of each store in its
own way: whether it replaces, what it holds, other metadata without another vector. A store is
recognised by the name of its class and of the package that defines it, or one that it inherits
from; any other store is asked through LangChain's interface alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, ClassVar

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from managed_sync.indexing.chroma_collection import ChromaCollection
from managed_sync.indexing.qdrant_collection import QdrantCollection

__all__ = ["StoredChunks", "stored_chunks"]


class StoredChunks:
    """The chunks of any store.

    Attributes:
        replaces: Whether adding a chunk replaces the one of the same id.
        can_relabel: Whether metadata can be changed without embedding.
    """

    replaces: ClassVar[bool] = True
    can_relabel: ClassVar[bool] = False

    def __init__(self, store: Any) -> None:
        self._store = store

    def held(self, ids: Sequence[str]) -> Set[str] | None:
        """Those of some chunks that are there; ``None`` if the store cannot say."""
        try:
            documents: list[Document] = self._store.get_by_ids(list(ids))
        except NotImplementedError:
            return None
        return {document.id for document in documents if document.id}

    def deletable(self, ids: Sequence[str]) -> list[str]:
        """Those of some chunks that the store can be told to delete without failing."""
        return list(ids)

    def relabel(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        raise NotImplementedError

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """The chunks that have this metadata; ``None`` if the store cannot say."""
        return None


class _InMemoryChunks(StoredChunks):
    can_relabel = True

    def relabel(self, documents: Sequence[Document]) -> None:
        for document in documents:
            self._store.store[document.id]["metadata"] = document.metadata

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return (
            key
            for key, value in self._store.store.items()
            if metadata.items() <= value["metadata"].items()
        )


class _FaissChunks(StoredChunks):
    replaces = False
    can_relabel = True

    def held(self, ids: Sequence[str]) -> Set[str]:
        return set(ids) & set(self._store.index_to_docstore_id.values())

    def deletable(self, ids: Sequence[str]) -> list[str]:
        return sorted(self.held(ids))

    def relabel(self, documents: Sequence[Document]) -> None:
        chunks = {document.id: document for document in documents}
        self._store.docstore.delete(list(chunks))
        self._store.docstore.add(chunks)

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        for key in self._store.index_to_docstore_id.values():
            document = self._store.docstore.search(key)
            if isinstance(document, Document) and metadata.items() <= document.metadata.items():
                yield key


class _LanceChunks(StoredChunks):
    replaces = False

    def deletable(self, ids: Sequence[str]) -> list[str]:
        return [] if self._store.get_table() is None else list(ids)


class _QdrantChunks(StoredChunks):
    can_relabel = True

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._collection = QdrantCollection(store.client, store.collection_name)

    def held(self, ids: Sequence[str]) -> Set[str]:
        return self._collection.held(ids)

    def relabel(self, documents: Sequence[Document]) -> None:
        key = self._store.metadata_payload_key
        payloads = {str(document.id): {key: document.metadata} for document in documents}
        self._collection.set_payloads(payloads, whole=False)

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return self._collection.ids(metadata, below=f"{self._store.metadata_payload_key}.")


class _ChromaChunks(StoredChunks):
    can_relabel = True

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._collection = ChromaCollection(store._collection)

    def held(self, ids: Sequence[str]) -> Set[str]:
        return self._collection.held(ids)

    def relabel(self, documents: Sequence[Document]) -> None:
        self._collection.set_metadata({str(one.id): one.metadata for one in documents})

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return self._collection.ids(metadata)


_KINDS: dict[tuple[str, str], type[StoredChunks]] = {
    ("langchain_chroma", "Chroma"): _ChromaChunks,
    ("langchain_community", "Chroma"): _ChromaChunks,
    ("langchain_community", "FAISS"): _FaissChunks,
    ("langchain_community", "LanceDB"): _LanceChunks,
    ("langchain_core", "InMemoryVectorStore"): _InMemoryChunks,
    ("langchain_qdrant", "QdrantVectorStore"): _QdrantChunks,
}


def stored_chunks(vectorstore: VectorStore) -> StoredChunks:
    """The chunks of a store."""
    for kind in type(vectorstore).__mro__:
        package = kind.__module__.partition(".")[0]
        if known := _KINDS.get((package, kind.__name__)):
            return known(vectorstore)
    return StoredChunks(vectorstore)
