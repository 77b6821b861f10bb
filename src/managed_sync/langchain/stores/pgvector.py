"""The adapter of LangChain's ``PGVector``, which keeps many collections in one table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from langchain_core.documents import Document

from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.base import Add
from managed_sync.langchain.stores.postgres import PostgresAdapter
from managed_sync.stores.postgres import IS_SEARCHED_EXHAUSTIVELY, as_vector

__all__ = ["PGVectorAdapter"]

_PIPELINE = ("project_id", "integration", "sync_type")
# The first of the two numbers that make a lock in PostgreSQL; ledgers use the one before.
_LOCKS_OF_WRITES = 0x6D74


class PGVectorAdapter(PostgresAdapter):
    """A collection of ``PGVector``."""

    classes = frozenset({("langchain_postgres", "PGVector")})
    # Ids are unique in a whole database, and so name chunks of all its collections.
    delete_options = MappingProxyType({"collection_only": True})
    is_dense = True

    @property
    def exact(self) -> bool:
        """Returns whether the table has no vector index; ``False`` if it cannot be asked."""
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        if self._store.async_mode:
            return False
        with self._store._engine.connect() as connection:  # noqa: SLF001 - private in langchain-postgres 0.0.16 to 0.0.19
            name = self._store.EmbeddingStore.__tablename__
            return bool(connection.scalar(text(IS_SEARCHED_EXHAUSTIVELY), {"name": name}))

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents; PostgreSQL replaces those that have the same ids.

        Raises:
            ConfigurationError: Those belong to another collection.
        """
        with self._apart_from_others(documents):
            add(documents)

    def dimensions(self) -> int | None:
        """Returns the length of the vectors; the column takes any, and searches fail then."""
        from sqlalchemy import func, select  # noqa: PLC0415 - an optional dependency

        vector = self._store.EmbeddingStore.embedding
        with self._session() as session:
            found = select(func.vector_dims(vector)).where(self._is_here(session)).limit(1)
            dimensions: int | None = session.scalar(found)
            return dimensions

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        from sqlalchemy import select  # noqa: PLC0415 - an optional dependency

        table = self._store.EmbeddingStore
        columns = [table.id, table.document, table.cmetadata]
        if vectors:
            columns.append(table.embedding)
        with self._session() as session:
            found = select(*columns).where(self._is_here(session), table.id.in_(ids))
            return [
                StoredChunk(key, text, metadata or {}, as_vector(*vector))
                for key, text, metadata, *vector in session.execute(found)
            ]

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the chunks with this metadata."""
        from sqlalchemy import select  # noqa: PLC0415 - an optional dependency

        table = self._store.EmbeddingStore
        with self._session() as session:
            found = select(table.id).where(self._is_here(session))
            yield from session.scalars(found.where(table.cmetadata.contains(dict(metadata))))

    def count(self, metadata: Mapping[str, str]) -> int:
        """Returns the number of chunks with this metadata."""
        from sqlalchemy import func, select  # noqa: PLC0415 - an optional dependency

        table = self._store.EmbeddingStore
        with self._session() as session:
            found = select(func.count(table.id)).where(self._is_here(session))
            found = found.where(table.cmetadata.contains(dict(metadata)))
            return int(session.scalar(found))

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        from sqlalchemy import update  # noqa: PLC0415 - an optional dependency

        rows = [{"id": document.id, "cmetadata": document.metadata} for document in documents]
        with self._apart_from_others(documents), self._session() as session:
            session.execute(update(self._store.EmbeddingStore), rows)
            session.commit()

    def _session(self) -> Any:
        return self._store._make_sync_session()  # noqa: SLF001 - private in langchain-postgres 0.0.16 to 0.0.19

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
        with self._session() as session, session.begin():
            # Another process could write the same chunks between this check and the write.
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
