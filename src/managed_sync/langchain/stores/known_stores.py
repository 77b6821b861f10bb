"""What the index target asks of the stores that people use with LangChain.

Beyond LangChain's interface: what a store holds, whether it replaces, other metadata without
another vector. A store is recognized by the name of its class and of the package that defines it,
or one that it inherits from.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.indexing.targets.vectors import Vector
from managed_sync.langchain.stores.lancedb import LanceTable
from managed_sync.langchain.stores.postgres import PGVectorChunks, PGVectorStoreChunks
from managed_sync.langchain.stores.stored_chunks import Add, StoredChunks
from managed_sync.stores.chroma import ChromaCollection
from managed_sync.stores.qdrant import QdrantCollection

__all__ = ["stored_chunks"]


class _ReplacingChunks(StoredChunks):
    """The chunks of a store that is known to replace by id, all or nothing."""

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        add(documents)


class _InMemoryChunks(_ReplacingChunks):
    can_relabel = True

    def dimensions(self) -> int | None:
        return next((len(row["vector"]) for row in self._store.store.values()), None)

    def relabel(self, documents: Sequence[Document]) -> None:
        for document in documents:
            self._store.store[document.id]["metadata"] = document.metadata

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        rows = self._store.store
        return [
            StoredChunk(key, rows[key]["text"], rows[key]["metadata"], rows[key]["vector"])
            for key in ids
            if key in rows
        ]

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return (
            key
            for key, value in self._store.store.items()
            if metadata.items() <= value["metadata"].items()
        )


class _FaissChunks(StoredChunks):
    can_relabel = True

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        self._fill_docstore(present)
        # FAISS refuses an id that it has. So the old ones get other ids, and go when the new ones
        # are there.
        aside = self._rename({key: f"replaced:{key}" for key in present})
        try:
            add(documents)
        except BaseException:
            self._drop_vectors_without_id()
            if not self.held([str(document.id) for document in documents]):
                self._rename({new: new.removeprefix("replaced:") for new in aside})
                raise
            # It failed after it had written.
            self._discard(aside)
            raise
        self._discard(aside)

    def dimensions(self) -> int | None:
        dimensions: int = self._store.index.d
        return dimensions

    def held(self, ids: Sequence[str]) -> Set[str]:
        return set(ids) & set(self._store.index_to_docstore_id.values())

    def deletable(self, ids: Sequence[str]) -> list[str]:
        held = self.held(ids)
        self._fill_docstore(held)
        return sorted(held)

    def relabel(self, documents: Sequence[Document]) -> None:
        chunks = {str(document.id): document for document in documents}
        self._fill_docstore(chunks.keys())
        self._store.docstore.delete(list(chunks))
        self._store.docstore.add(chunks)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        wanted, found = set(ids), []
        for place, key in self._store.index_to_docstore_id.items():
            document = self._store.docstore.search(key) if key in wanted else None
            if isinstance(document, Document):
                vector = self._store.index.reconstruct(place).tolist() if vectors else None
                found.append(StoredChunk(key, document.page_content, document.metadata, vector))
        return found

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        for key in self._store.index_to_docstore_id.values():
            document = self._store.docstore.search(key)
            if isinstance(document, Document) and metadata.items() <= document.metadata.items():
                yield key

    def _fill_docstore(self, ids: Set[str]) -> None:
        """Gives a document, without an object, to vectors that have lost theirs.

        The docstore would refuse to replace or to remove them.
        """
        docstore = self._store.docstore
        empty = {
            key: Document("", id=key)
            for key in self.held(sorted(ids))
            if not isinstance(docstore.search(key), Document)
        }
        if empty:
            docstore.add(empty)

    def _discard(self, ids: Set[str]) -> None:
        if ids:
            self._store.delete(sorted(ids))

    def _rename(self, names: Mapping[str, str]) -> set[str]:
        """Gives chunks other ids; returns the new ones of those that are there."""
        places, docstore = self._store.index_to_docstore_id, self._store.docstore
        renamed = {place: names[key] for place, key in places.items() if key in names}
        if not renamed:  # which the docstore would refuse
            return set()
        documents = {names[places[place]]: docstore.search(places[place]) for place in renamed}
        docstore.delete([places[place] for place in renamed])
        docstore.add(documents)
        places.update(renamed)
        return set(documents)

    def _drop_vectors_without_id(self) -> None:
        """Removes vectors that a failed call added and gave no id; they would shift the others."""
        import numpy as np  # noqa: PLC0415 - comes with FAISS

        index, known = self._store.index, len(self._store.index_to_docstore_id)
        if index.ntotal > known:
            index.remove_ids(np.arange(known, index.ntotal, dtype=np.int64))


class _LanceChunks(StoredChunks):
    can_relabel = True

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        if store.mode != "append":
            raise ConfigurationError(
                f"LanceDB in its mode {store.mode!r} replaces the table with each write; make the "
                f"store with mode='append'."
            )
        self._rows = LanceTable(store)

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        # It keeps what has the same id. A run that is killed in between leaves both, and the next
        # one, which finds both, replaces both.
        before = self._rows.places(present)
        add(documents)
        self._rows.delete(before)

    def writable(self, documents: Sequence[Document], vector: Vector) -> Sequence[Document]:
        return self._rows.with_all_fields(documents, len(vector))

    def dimensions(self) -> int | None:
        return self._rows.dimensions()

    def deletable(self, ids: Sequence[str]) -> list[str]:
        return list(ids) if self._rows.exist else []

    def relabel(self, documents: Sequence[Document]) -> None:
        self._rows.set_metadata({str(one.id): one.metadata for one in documents})

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        return self._rows.read(ids)

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return self._rows.ids(metadata)


class _QdrantChunks(_ReplacingChunks):
    can_relabel = True

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._collection = QdrantCollection(
            store.client, store.collection_name, vector_name=store.vector_name
        )

    def dimensions(self) -> int | None:
        return self._collection.dimensions()

    def held(self, ids: Sequence[str]) -> Set[str]:
        return self._collection.held(ids)

    def relabel(self, documents: Sequence[Document]) -> None:
        key = self._store.metadata_payload_key
        payloads = {str(document.id): {key: document.metadata} for document in documents}
        self._collection.set_payloads(payloads, whole=False)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        text, metadata = self._store.content_payload_key, self._store.metadata_payload_key
        return [
            StoredChunk(key, str(payload.get(text)), _mapping(payload.get(metadata)), vector)
            for key, payload, vector in self._collection.points(ids, vectors=vectors)
        ]

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return self._collection.ids(metadata, below=self._below)

    def count(self, metadata: Mapping[str, str]) -> int:
        return self._collection.count(metadata, below=self._below)

    @property
    def _below(self) -> str:
        return f"{self._store.metadata_payload_key}."


class _ChromaChunks(_ReplacingChunks):
    can_relabel = True

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self._collection = ChromaCollection(store._collection)

    def dimensions(self) -> int | None:
        return self._collection.dimensions()

    def held(self, ids: Sequence[str]) -> Set[str]:
        return self._collection.held(ids)

    def relabel(self, documents: Sequence[Document]) -> None:
        self._collection.set_metadata({str(one.id): one.metadata for one in documents})

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        return self._collection.read(ids, vectors=vectors)

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return self._collection.ids(metadata)


def _mapping(metadata: Any) -> Mapping[str, Any]:
    """The metadata of a chunk; none if a damaged one holds something else there."""
    return metadata if isinstance(metadata, Mapping) else {}


_KINDS: dict[tuple[str, str], type[StoredChunks]] = {
    ("langchain_chroma", "Chroma"): _ChromaChunks,
    ("langchain_community", "Chroma"): _ChromaChunks,
    ("langchain_community", "FAISS"): _FaissChunks,
    ("langchain_community", "LanceDB"): _LanceChunks,
    ("langchain_core", "InMemoryVectorStore"): _InMemoryChunks,
    ("langchain_postgres", "PGVector"): PGVectorChunks,
    ("langchain_postgres", "PGVectorStore"): PGVectorStoreChunks,
    ("langchain_qdrant", "QdrantVectorStore"): _QdrantChunks,
}


def stored_chunks(vectorstore: VectorStore) -> StoredChunks:
    """The chunks of a store."""
    for kind in type(vectorstore).__mro__:
        package = kind.__module__.partition(".")[0]
        if known := _KINDS.get((package, kind.__name__)):
            return known(vectorstore)
    return StoredChunks(vectorstore)
