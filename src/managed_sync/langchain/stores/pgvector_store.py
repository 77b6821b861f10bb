"""The adapter of LangChain's ``PGVectorStore``, a table for each collection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.model import storable
from managed_sync.documents.vectors import Vector
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.postgres import PostgresAdapter
from managed_sync.stores.postgres import IS_SEARCHED_EXHAUSTIVELY, as_vector

__all__ = ["PGVectorStoreAdapter"]

# Without a limit, the store gives as many rows as a search would.
_EVERY_ROW = 2**31
# JSON's escapes of NUL and of halves of surrogate pairs.
_UNREADABLE = r"\\u(0000|d[89a-f])"
# Every chunk of this package has these in its metadata.
_OURS = {"object_id", "chunk_id"}


class PGVectorStoreAdapter(PostgresAdapter):
    """A table of ``PGVectorStore``."""

    classes = frozenset({("langchain_postgres", "PGVectorStore")})
    further_arguments = frozenset({"hybrid_search_config", "fts_query"})

    @property
    def is_dense(self) -> bool:
        """Returns whether the store searches by a vector alone, and embeds outside the database."""
        embedding = getattr(self._table, "embedding_service", None)
        return (
            getattr(self._table, "hybrid_search_config", None) is None
            and getattr(embedding, "embed_query_inline_template", None) is None
        )

    @property
    def exact(self) -> bool:
        """Returns whether the table has no vector index; ``False`` if it cannot be asked."""
        engine, table = self._engine, self._table
        if table is None or engine._loop is None or engine._loop is _running_loop():  # noqa: SLF001 - private in langchain-postgres 0.0.16 to 0.0.19
            return False  # to ask from the engine's own loop would block it for ever
        return bool(self._run(self._ask(engine._pool, table)))  # noqa: SLF001 - private in langchain-postgres 0.0.16 to 0.0.19

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        documents = self._documents(ids) or []
        kept: dict[str, Vector | None] = {}
        if vectors and documents:
            wanted = [document.id for document in documents]
            found = self._store.get(ids=wanted, limit=_EVERY_ROW, include=["embeddings"])
            kept = dict(zip(found["ids"], map(as_vector, found["embeddings"]), strict=True))
        return [
            StoredChunk(str(one.id), one.page_content, one.metadata, kept.get(str(one.id)))
            for one in documents
        ]

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the chunks with this metadata."""
        from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - an optional dependency

        conditions = [{name: {"$eq": value}} for name, value in metadata.items()]
        options: dict[str, Any] = {"where": {"$and": conditions}, "limit": _EVERY_ROW}
        try:
            found = self._store.get(**options, include=[])
        except DBAPIError:
            if not self._run(self._repair()):
                raise
            found = self._store.get(**options, include=[])
        yield from found["ids"]

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        self._run(self._update_metadata(documents))

    def _is_exhaustive(self, own: Mapping[str, Any], confined: bool) -> bool:
        return self.is_dense and self.exact

    @property
    def _engine(self) -> Any:
        return self._store._engine  # noqa: SLF001 - private in langchain-postgres 0.0.16 to 0.0.19

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._engine._run_as_sync(work)  # noqa: SLF001 - private in langchain-postgres 0.0.16 to 0.0.19

    @property
    def _table(self) -> Any:
        # Private in langchain-postgres 0.0.16 to 0.0.19.
        return getattr(self._store, "_PGVectorStore__vs", None)

    async def _ask(self, pool: Any, table: Any) -> bool | None:
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        name = f'"{table.schema_name}"."{table.table_name}"'
        async with pool.connect() as connection:
            answer: bool | None = await connection.scalar(
                text(IS_SEARCHED_EXHAUSTIVELY), {"name": name}
            )
            return answer

    async def _update_metadata(self, documents: Sequence[Document]) -> None:
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        table = self._table
        columns, rest = list(table.metadata_columns), table.metadata_json_column
        names = [*columns, rest] if rest else columns
        changes = ", ".join(f'"{name}" = :value_{number}' for number, name in enumerate(names))
        statement = text(
            f'UPDATE "{table.schema_name}"."{table.table_name}" SET {changes} '  # noqa: S608 - names
            f'WHERE "{table.id_column}" = :id'
        )
        rows = []
        for document in documents:
            values = [document.metadata.get(name) for name in columns]
            if rest:
                others = document.metadata.keys() - set(columns)
                values.append(json.dumps({key: document.metadata[key] for key in others}))
            numbered = {f"value_{number}": value for number, value in enumerate(values)}
            rows.append({"id": document.id, **numbered})
        async with table.engine.begin() as connection:
            await connection.execute(statement, rows)

    async def _repair(self) -> int:
        """Makes the metadata readable that older versions wrote; returns the number of chunks.

        A column of type ``json`` takes NUL and half characters, and then PostgreSQL cannot evaluate
        a condition on it any more, for any row. Only this package's chunks are changed.
        """
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        table = self._table
        if not (rest := table.metadata_json_column):
            return 0
        name = f'"{table.schema_name}"."{table.table_name}"'
        key = f'"{table.id_column}"'
        suspects = text(
            f'SELECT {key}, "{rest}"::text FROM {name} '  # noqa: S608 - names
            f"WHERE \"{rest}\"::text ~* '{_UNREADABLE}'"
        )
        change = text(
            f'UPDATE {name} SET "{rest}" = :metadata WHERE {key} = :id'  # noqa: S608 - names
        )
        async with table.engine.begin() as connection:
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


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
