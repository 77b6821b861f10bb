"""What the index target asks of LangChain's two stores in PostgreSQL.

Both replace by id, and write all of a call or, if it fails, nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.model import storable
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.indexing.targets.vectors import Vector
from managed_sync.langchain.stores.stored_chunks import Add, StoredChunks

__all__ = ["PGVectorChunks", "PGVectorStoreChunks"]

# Without a limit, the store gives as many rows as a search would.
_EVERY_ROW = 2**31
_PIPELINE = ("project_id", "integration", "sync_type")
# JSON's escapes of NUL and of halves of surrogate pairs.
_UNREADABLE = r"\\u(0000|d[89a-f])"
# What every chunk of this package has in its metadata.
_OURS = {"object_id", "chunk_id"}
# The first of the two numbers that make a lock in PostgreSQL; ledgers use the one before.
_LOCKS_OF_WRITES = 0x6D74


class PGVectorChunks(StoredChunks):
    """The chunks of ``PGVector``."""

    can_relabel = True
    # Ids are unique in a whole database, and so name chunks of all its collections.
    delete_options = MappingProxyType({"collection_only": True})

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents; PostgreSQL replaces those that have the same ids.

        Raises:
            ConfigurationError: Those are of another collection.
        """
        with self._apart_from_others(documents):
            add(documents)

    def dimensions(self) -> int | None:
        """How long the vectors are; the column itself takes any, and searches fail then."""
        from sqlalchemy import func, select  # noqa: PLC0415 - an optional dependency

        vector = self._store.EmbeddingStore.embedding
        with self._store._make_sync_session() as session:
            found = select(func.vector_dims(vector)).where(self._is_here(session)).limit(1)
            dimensions: int | None = session.scalar(found)
            return dimensions

    def relabel(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        from sqlalchemy import update  # noqa: PLC0415 - an optional dependency

        rows = [{"id": document.id, "cmetadata": document.metadata} for document in documents]
        with self._apart_from_others(documents), self._store._make_sync_session() as session:
            session.execute(update(self._store.EmbeddingStore), rows)
            session.commit()

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """What is there under some ids."""
        from sqlalchemy import select  # noqa: PLC0415 - an optional dependency

        table = self._store.EmbeddingStore
        columns = [table.id, table.document, table.cmetadata]
        if vectors:
            columns.append(table.embedding)
        with self._store._make_sync_session() as session:
            found = select(*columns).where(self._is_here(session), table.id.in_(ids))
            return [
                StoredChunk(key, text, metadata or {}, _vector(*vector))
                for key, text, metadata, *vector in session.execute(found)
            ]

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """The chunks that have this metadata."""
        from sqlalchemy import select  # noqa: PLC0415 - an optional dependency

        table = self._store.EmbeddingStore
        with self._store._make_sync_session() as session:
            found = select(table.id).where(self._is_here(session))
            yield from session.scalars(found.where(table.cmetadata.contains(dict(metadata))))

    def count(self, metadata: Mapping[str, str]) -> int:
        """How many chunks have this metadata."""
        from sqlalchemy import func, select  # noqa: PLC0415 - an optional dependency

        table = self._store.EmbeddingStore
        with self._store._make_sync_session() as session:
            found = select(func.count(table.id)).where(self._is_here(session))
            found = found.where(table.cmetadata.contains(dict(metadata)))
            return int(session.scalar(found))

    @contextmanager
    def _apart_from_others(self, documents: Sequence[Document]) -> Iterator[None]:
        """Keeps a write of some chunks from replacing those of another collection.

        Raises:
            ConfigurationError: It would.
        """
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

    def _is_here(self, session: Any) -> Any:
        collection = self._store.get_collection(session)
        return self._store.EmbeddingStore.collection_id == collection.uuid


class PGVectorStoreChunks(StoredChunks):
    """The chunks of ``PGVectorStore``."""

    can_relabel = True

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents; PostgreSQL replaces those that have the same ids."""
        add(documents)

    def relabel(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
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

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """What is there under some ids."""
        documents = self._documents(ids) or []
        kept: dict[str, Vector | None] = {}
        if vectors and documents:
            wanted = [document.id for document in documents]
            found = self._store.get(ids=wanted, limit=_EVERY_ROW, include=["embeddings"])
            kept = dict(zip(found["ids"], map(_vector, found["embeddings"]), strict=True))
        return [
            StoredChunk(str(one.id), one.page_content, one.metadata, kept.get(str(one.id)))
            for one in documents
        ]

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """The chunks that have this metadata."""
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - an optional dependency

        conditions = [{name: {"$eq": value}} for name, value in metadata.items()]
        options: dict[str, Any] = {"where": {"$and": conditions}, "limit": _EVERY_ROW}
        try:
            found = self._store.get(**options, include=[])
        except DBAPIError:
            if not self._store._engine._run_as_sync(self._mend()):
                raise
            found = self._store.get(**options, include=[])
        yield from found["ids"]

    async def _mend(self) -> int:
        """Makes the metadata readable of chunks that older versions wrote; returns of how many.

        A column of type ``json`` takes NUL and half characters, and then no condition on it can be
        evaluated any more, for whatever row. Only this package's chunks are changed.
        """
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        inner = self._store._PGVectorStore__vs
        if not (rest := inner.metadata_json_column):
            return 0
        table = f'"{inner.schema_name}"."{inner.table_name}"'
        key = f'"{inner.id_column}"'
        suspects = text(
            f'SELECT {key}, "{rest}"::text FROM {table} '  # noqa: S608 - names
            f"WHERE \"{rest}\"::text ~* '{_UNREADABLE}'"
        )
        change = text(
            f'UPDATE {table} SET "{rest}" = :metadata WHERE {key} = :id'  # noqa: S608 - names
        )
        async with inner.engine.begin() as connection:
            rows = []
            for chunk_id, written in await connection.execute(suspects):
                before = json.loads(written)
                after = _storable(before)
                if after != before and after.keys() >= _OURS:
                    rows.append({"id": chunk_id, "metadata": json.dumps(after)})
            if rows:
                await connection.execute(change, rows)
        return len(rows)


def _storable(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        return {}
    return {
        name: storable(value) if isinstance(value, str) else value
        for name, value in metadata.items()
    }


def _vector(stored: Any = None) -> Vector | None:
    """A vector as the driver gives it: as numbers, or as text if it does not know the type."""
    if stored is None:
        return None
    values = json.loads(stored) if isinstance(stored, str) else stored
    return [float(value) for value in values]
