"""What the index target asks of the stores that people use with LangChain.

LangChain's interface adds, deletes and gets by id. What it lacks, this asks of each store in its
own way: whether it replaces, what it holds, other metadata without another vector. A store is
recognised by the name of its class and of the package that defines it, or one that it inherits
from; any other store is asked through LangChain's interface alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, ClassVar

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from managed_sync.errors import ConfigurationError
from managed_sync.indexing.chroma_collection import ChromaCollection
from managed_sync.indexing.qdrant_collection import QdrantCollection
from managed_sync.langchain.lance_table import LanceTable

__all__ = ["StoredChunks", "stored_chunks"]

# Without a limit, the store gives as many rows as a search would.
_EVERY_ROW = 2**31
_PIPELINE = ("project_id", "integration", "sync_type")
# The first of the two numbers that make a lock in PostgreSQL; ledgers use the one before.
_LOCKS_OF_WRITES = 0x6D74


class StoredChunks:
    """The chunks of any store.

    Attributes:
        replaces: Whether adding a chunk replaces the one of the same id.
        can_relabel: Whether metadata can be changed without embedding.
        delete_options: What confines the store's ``delete`` to its own chunks.
    """

    replaces: ClassVar[bool] = True
    can_relabel: ClassVar[bool] = False
    delete_options: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def __init__(self, store: Any) -> None:
        self._store = store

    def held(self, ids: Sequence[str]) -> Set[str] | None:
        """Those of some chunks that are there; ``None`` if the store cannot say."""
        try:
            documents: list[Document] = self._store.get_by_ids(list(ids))
        except NotImplementedError:
            return None
        return {document.id for document in documents if document.id}

    def writable(self, documents: Sequence[Document]) -> Sequence[Document]:
        """Some documents as the store takes them."""
        return documents

    def deletable(self, ids: Sequence[str]) -> list[str]:
        """Those of some chunks that the store can be told to delete without failing."""
        return list(ids)

    @contextmanager
    def writing(self, documents: Sequence[Document]) -> Iterator[None]:
        """Keeps a write of some chunks from replacing those of another collection.

        Raises:
            ConfigurationError: It would.
        """
        yield

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
    can_relabel = True

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        if store.mode != "append":
            raise ConfigurationError(
                f"LanceDB in its mode {store.mode!r} replaces the table with each write; make the "
                f"store with mode='append'."
            )
        self._rows = LanceTable(store)

    def held(self, ids: Sequence[str]) -> Set[str]:
        return self._rows.held(ids)

    def writable(self, documents: Sequence[Document]) -> Sequence[Document]:
        return self._rows.with_all_fields(documents)

    def deletable(self, ids: Sequence[str]) -> list[str]:
        return list(ids) if self._rows.exist else []

    def relabel(self, documents: Sequence[Document]) -> None:
        self._rows.set_metadata({str(one.id): one.metadata for one in documents})

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return self._rows.ids(metadata)


class _PGVectorChunks(StoredChunks):
    can_relabel = True
    # Ids are unique in a whole database, and so name chunks of all its collections.
    delete_options = MappingProxyType({"collection_only": True})

    @contextmanager
    def writing(self, documents: Sequence[Document]) -> Iterator[None]:
        from sqlalchemy import func, select  # noqa: PLC0415 - an optional dependency

        ids = [document.id for document in documents]
        pipelines = {
            json.dumps([document.metadata.get(name) for name in _PIPELINE])
            for document in documents
        }

        table, collections = self._store.EmbeddingStore, self._store.CollectionStore
        taken = (
            select(collections.name)
            .join(table, table.collection_id == collections.uuid)
            .where(table.id.in_(ids), collections.name != self._store.collection_name)
            .limit(1)
        )
        with self._store._make_sync_session() as session, session.begin():
            # Another process could write the same chunks between the look and the write.
            for pipeline in sorted(pipelines):
                key = func.hashtext(pipeline)
                session.execute(select(func.pg_advisory_xact_lock(_LOCKS_OF_WRITES, key)))
            if other := session.scalar(taken):
                raise ConfigurationError(
                    f"The collection {self._store.collection_name!r} cannot hold this pipeline: "
                    f"PGVector keeps the ids of chunks unique in a whole database, and the "
                    f"collection {other!r} holds chunks of the same pipeline, which would be "
                    f"overwritten. Use another database, or PGVectorStore with a table for each "
                    f"index; or remove the pipeline from {other!r} first."
                )
            yield

    def relabel(self, documents: Sequence[Document]) -> None:
        from sqlalchemy import update  # noqa: PLC0415 - an optional dependency

        rows = [{"id": document.id, "cmetadata": document.metadata} for document in documents]
        with self._store._make_sync_session() as session:
            session.execute(update(self._store.EmbeddingStore), rows)
            session.commit()

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        from sqlalchemy import select  # noqa: PLC0415 - an optional dependency

        table = self._store.EmbeddingStore
        with self._store._make_sync_session() as session:
            collection = self._store.get_collection(session)
            found = select(table.id).where(table.collection_id == collection.uuid)
            found = found.where(table.cmetadata.contains(dict(metadata)))
            yield from session.scalars(found)


class _PGVectorStoreChunks(StoredChunks):
    can_relabel = True

    def relabel(self, documents: Sequence[Document]) -> None:
        self._store._engine._run_as_sync(self._relabel(documents))

    async def _relabel(self, documents: Sequence[Document]) -> None:
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        inner = self._store._PGVectorStore__vs
        columns, rest = list(inner.metadata_columns), inner.metadata_json_column
        names = [*columns, rest] if rest else columns
        changes = ", ".join(f'"{name}" = :value_{place}' for place, name in enumerate(names))
        statement = text(
            f'UPDATE "{inner.schema_name}"."{inner.table_name}" SET {changes} '  # noqa: S608 - names
            f'WHERE "{inner.id_column}" = :id'
        )
        rows = []
        for document in documents:
            values = [document.metadata.get(name) for name in columns]
            if rest:
                others = document.metadata.keys() - set(columns)
                values.append(json.dumps({key: document.metadata[key] for key in others}))
            numbered = {f"value_{place}": value for place, value in enumerate(values)}
            rows.append({"id": document.id, **numbered})
        async with inner.engine.begin() as connection:
            await connection.execute(statement, rows)

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        conditions = [{name: {"$eq": value}} for name, value in metadata.items()]
        found = self._store.get(where={"$and": conditions}, limit=_EVERY_ROW, include=[])
        yield from found["ids"]


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
    ("langchain_postgres", "PGVector"): _PGVectorChunks,
    ("langchain_postgres", "PGVectorStore"): _PGVectorStoreChunks,
    ("langchain_qdrant", "QdrantVectorStore"): _QdrantChunks,
}


def stored_chunks(vectorstore: VectorStore) -> StoredChunks:
    """The chunks of a store."""
    for kind in type(vectorstore).__mro__:
        package = kind.__module__.partition(".")[0]
        if known := _KINDS.get((package, kind.__name__)):
            return known(vectorstore)
    return StoredChunks(vectorstore)
