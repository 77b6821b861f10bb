"""Object filters for the vector stores that people use with LangChain.

A store is recognised by the name of its class and of the package that defines it, or one that it
inherits from, so that no package is imported which is not in use already.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from managed_sync.permissions.object_filter import ObjectFilter, ids_for_one_search

__all__ = ["chunk_count", "object_filter_for"]

_KEY = "object_id"
# These of FAISS's indexes compare a question with every chunk.
_FLAT_FAISS_INDEXES = {"IndexFlat", "IndexFlatIP", "IndexFlatL2"}
# Any other index than PostgreSQL's own kinds is for approximate search; a partition or a view
# may hide one.
_IS_SEARCHED_EXHAUSTIVELY = """
    SELECT relkind = 'r' AND NOT relhassubclass AND NOT EXISTS (
        SELECT FROM pg_index
        JOIN pg_class AS index ON index.oid = pg_index.indexrelid
        JOIN pg_am ON pg_am.oid = index.relam
        WHERE pg_index.indrelid = pg_class.oid
        AND pg_am.amname NOT IN ('btree', 'hash', 'gin', 'gist', 'spgist', 'brin')
    )
    FROM pg_class WHERE oid = to_regclass(:name)
"""


def object_filter_for(vectorstore: VectorStore) -> ObjectFilter | None:
    """The object filter of a store; ``None`` if the store is not known or cannot filter."""
    return _filter_for(vectorstore)


def chunk_count(vectorstore: VectorStore) -> int | None:
    """How many chunks a store holds; ``None`` if it does not say without reading them all."""
    known = _filter_for(vectorstore)
    return known.chunk_count() if known else None


class _StoreFilter(ABC):
    """The filter of one store, and what can be asked about it."""

    max_objects: ClassVar[int | None] = 10_000

    def __init__(self, store: Any) -> None:
        self._store = store

    @property
    @abstractmethod
    def exact(self) -> bool: ...

    @abstractmethod
    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]: ...

    @abstractmethod
    def chunk_count(self) -> int | None: ...

    def search_kwargs(self, object_ids: Sequence[str], /) -> dict[str, Any]:
        return self._confined_to(ids_for_one_search(object_ids, self.max_objects))


class _InMemoryFilter(_StoreFilter):
    max_objects = None
    exact = True

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        wanted = frozenset(object_ids)

        def is_wanted(document: Document) -> bool:
            return _is_of(document.metadata, wanted)

        return {"filter": is_wanted}

    def chunk_count(self) -> int:
        return len(self._store.store)


class _FaissFilter(_StoreFilter):
    max_objects = None

    @property
    def exact(self) -> bool:
        return type(self._store.index).__name__ in _FLAT_FAISS_INDEXES

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        wanted = frozenset(object_ids)

        def is_wanted(metadata: dict[str, Any]) -> bool:
            return _is_of(metadata, wanted)

        # The store filters the best fetch_k chunks only; nothing less than all of them will do.
        return {"filter": is_wanted, "fetch_k": max(1, self.chunk_count())}

    def chunk_count(self) -> int:
        return int(self._store.index.ntotal)


class _QdrantFilter(_StoreFilter):
    exact = True

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency
        from qdrant_client.local.qdrant_local import QdrantLocal  # noqa: PLC0415

        key = f"{self._store.metadata_payload_key}.{_KEY}"
        condition = models.FieldCondition(key=key, match=models.MatchAny(any=object_ids))
        kwargs: dict[str, Any] = {"filter": models.Filter(must=[condition])}
        # A narrow filter leaves gaps in a server's graph; exhaustive search, which is all that the
        # local mode knows, has none.
        if not isinstance(self._store.client._client, QdrantLocal):
            kwargs["search_params"] = models.SearchParams(exact=True)
        return kwargs

    def chunk_count(self) -> int | None:
        return int(self._store.client.count(self._store.collection_name).count)


class _ChromaFilter(_StoreFilter):
    exact = False

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"filter": {_KEY: {"$in": object_ids}}}

    def chunk_count(self) -> int:
        return int(self._store._collection.count())


class _LanceFilter(_StoreFilter):
    @property
    def exact(self) -> bool:
        table = self._store.get_table()
        return table is not None and not any(
            self._store._vector_key in index.columns for index in table.list_indices()
        )

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {
            "filter": f"metadata.{_KEY} IN ({', '.join(map(_sql_literal, object_ids))})",
            # Otherwise the store filters only the k chunks that it has found.
            "prefilter": True,
        }

    def chunk_count(self) -> int | None:
        table = self._store.get_table()
        return None if table is None else int(table.count_rows())


class _PostgresFilter(_StoreFilter):
    """pgvector: with an index, rows are filtered after the index has chosen a few of them."""

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"filter": {_KEY: {"$in": object_ids}}}

    def chunk_count(self) -> None:
        """PostgreSQL counts by reading the whole table."""


class _PGVectorFilter(_PostgresFilter):
    @property
    def exact(self) -> bool:
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        if self._store.async_mode:
            return False
        with self._store._engine.connect() as connection:
            name = self._store.EmbeddingStore.__tablename__
            return bool(connection.scalar(text(_IS_SEARCHED_EXHAUSTIVELY), {"name": name}))


class _PGVectorStoreFilter(_PostgresFilter):
    @property
    def exact(self) -> bool:
        engine = self._store._engine
        inner = getattr(self._store, "_PGVectorStore__vs", None)
        if inner is None or engine._loop is None or engine._loop is _running_loop():
            return False  # there is no way to ask without waiting for ourselves
        return bool(engine._run_as_sync(self._ask(engine._pool, inner)))

    async def _ask(self, pool: Any, inner: Any) -> bool | None:
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        name = f'"{inner.schema_name}"."{inner.table_name}"'
        async with pool.connect() as connection:
            answer: bool | None = await connection.scalar(
                text(_IS_SEARCHED_EXHAUSTIVELY), {"name": name}
            )
            return answer


_FILTERS: dict[tuple[str, str], type[_StoreFilter]] = {
    ("langchain_chroma", "Chroma"): _ChromaFilter,
    ("langchain_community", "Chroma"): _ChromaFilter,
    ("langchain_community", "FAISS"): _FaissFilter,
    ("langchain_community", "LanceDB"): _LanceFilter,
    ("langchain_core", "InMemoryVectorStore"): _InMemoryFilter,
    ("langchain_postgres", "PGVector"): _PGVectorFilter,
    ("langchain_postgres", "PGVectorStore"): _PGVectorStoreFilter,
    ("langchain_qdrant", "QdrantVectorStore"): _QdrantFilter,
}


def _filter_for(vectorstore: VectorStore) -> _StoreFilter | None:
    for kind in type(vectorstore).__mro__:
        package = kind.__module__.partition(".")[0]
        if known := _FILTERS.get((package, kind.__name__)):
            return known(vectorstore)
    return None


def _is_of(metadata: dict[str, Any], wanted: frozenset[str]) -> bool:
    object_id = metadata.get(_KEY)
    # A list, which some stores allow, cannot be looked up in a set.
    return isinstance(object_id, str) and object_id in wanted


def _sql_literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
