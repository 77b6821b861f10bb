"""Object filters for the vector stores that people use with LangChain, and how far these reach.

A store is recognized by the name of its class and of the package that defines it, or one that it
inherits from, so that no package is imported which is not in use already.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from langchain_core.documents import Document
from langchain_core.vectorstores import VectorStore

from managed_sync.retrieval.effects import Inspect, Reach
from managed_sync.retrieval.object_filter import ObjectFilter, ids_for_one_search

__all__ = ["Found", "KnownStore", "chunk_count", "known_store", "object_filter_for"]

# Documents and their scores, best first.
Found: TypeAlias = Sequence[tuple[Document, float | None]]

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
    return known_store(vectorstore)


def chunk_count(vectorstore: VectorStore) -> int | None:
    """How many chunks a store holds; ``None`` if it does not say without reading them all."""
    known = known_store(vectorstore)
    return known.chunk_count() if known else None


class KnownStore(ABC):
    """The filter of one store, and what is known of its searches.

    Args:
        store: The vector store.
        is_original: Whether its class searches as the known one does, and overrides nothing.
    """

    max_objects: ClassVar[int | None] = 10_000
    # The arguments of the store's search that the filter sets.
    arguments: ClassVar[Collection[str]] = {"filter"}
    # Arguments of the caller's that make an exhaustive search no less exhaustive.
    harmless: ClassVar[Collection[str]] = {"filter"}
    # Whether the store awaits searches by a vector.
    awaits_vectors: ClassVar[bool] = False

    def __init__(self, store: Any, *, is_original: bool = True) -> None:
        self._store = store
        self.is_original = is_original

    @property
    @abstractmethod
    def exact(self) -> bool:
        """Whether a search among some objects is exhaustive; see ``ObjectFilter``."""

    @property
    def is_dense(self) -> bool:
        """Whether the store ranks by the distance of vectors, and by nothing else."""
        return True

    @abstractmethod
    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]: ...

    @abstractmethod
    def chunk_count(self, object_ids: list[str] | None = None) -> int | None:
        """How many chunks there are, of all objects or of these; ``None`` if that costs much."""

    def search_kwargs(self, object_ids: Sequence[str], /) -> dict[str, Any]:
        """Arguments of the store's search that confine it to these objects."""
        return self._confined_to(ids_for_one_search(object_ids, self.max_objects))

    def completed(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """The caller's own arguments, with what a filter among them needs to be exact."""
        return dict(own)

    def reach(self, step: Inspect, own: Mapping[str, Any]) -> Reach:
        """How far searches with the caller's own arguments reach."""
        if not self.is_original:
            # What it holds, it may hold elsewhere.
            return Reach()
        exhaustive = (
            self.is_dense
            and own.keys() <= set(self.harmless)
            and self._searches_all(own, confined=step.objects is not None)
        )
        if not step.count or (exhaustive and step.objects is not None):
            return Reach(exhaustive)
        objects = None if step.objects is None else list(step.objects)
        return Reach(exhaustive, self.chunk_count(objects))

    def search_by_vector(self, vector: list[float], **kwargs: Any) -> Found:
        """Searches by a vector, with scores."""
        found: Found = self._store.similarity_search_with_score_by_vector(vector, **kwargs)
        return found

    async def asearch_by_vector(self, vector: list[float], **kwargs: Any) -> Found:
        """Like ``search_by_vector``, without blocking the event loop."""
        if not self.awaits_vectors:
            return await asyncio.to_thread(self.search_by_vector, vector, **kwargs)
        found: Found = await self._store.asimilarity_search_with_score_by_vector(vector, **kwargs)
        return found

    def _searches_all(self, own: Mapping[str, Any], *, confined: bool) -> bool:
        return self.exact


class _InMemoryStore(KnownStore):
    max_objects = None
    exact = True

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        wanted = frozenset(object_ids)

        def is_wanted(document: Document) -> bool:
            return _is_of(document.metadata, wanted)

        return {"filter": is_wanted}

    def chunk_count(self, object_ids: list[str] | None = None) -> int:
        if object_ids is None:
            return len(self._store.store)
        wanted = frozenset(object_ids)
        return sum(_is_of(each["metadata"], wanted) for each in self._store.store.values())


class _FaissStore(KnownStore):
    max_objects = None
    arguments: ClassVar[Collection[str]] = {"filter", "fetch_k"}
    harmless: ClassVar[Collection[str]] = {"filter", "fetch_k", "score_threshold"}
    awaits_vectors = True

    @property
    def exact(self) -> bool:
        return type(self._store.index).__name__ in _FLAT_FAISS_INDEXES

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        wanted = frozenset(object_ids)

        def is_wanted(metadata: dict[str, Any]) -> bool:
            return _is_of(metadata, wanted)

        # The store filters the best fetch_k chunks only; nothing less than all of them will do.
        return {"filter": is_wanted, "fetch_k": max(1, self.chunk_count())}

    def completed(self, own: Mapping[str, Any]) -> dict[str, Any]:
        if own.get("filter") is None:
            return dict(own)
        return {"fetch_k": max(1, self.chunk_count()), **own}

    def chunk_count(self, object_ids: list[str] | None = None) -> int:
        if object_ids is None:
            return int(self._store.index.ntotal)
        wanted = frozenset(object_ids)
        documents = map(self._store.docstore.search, self._store.index_to_docstore_id.values())
        return sum(_is_of(getattr(each, "metadata", {}), wanted) for each in documents)

    def _searches_all(self, own: Mapping[str, Any], *, confined: bool) -> bool:
        filters_some = own.get("filter") is not None and "fetch_k" in own
        return self.exact and not (filters_some and own["fetch_k"] < self.chunk_count())


class _QdrantStore(KnownStore):
    arguments: ClassVar[Collection[str]] = {"filter", "search_params"}
    harmless: ClassVar[Collection[str]] = {
        *("filter", "search_params", "score_threshold", "consistency"),
    }
    exact = True

    @property
    def is_dense(self) -> bool:
        return bool(self._store.retrieval_mode == "dense")

    @property
    def _is_local(self) -> bool:
        # Exhaustive search is all that the local mode knows.
        return type(getattr(self._store.client, "_client", None)).__name__ == "QdrantLocal"

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency

        kwargs: dict[str, Any] = {"filter": self._condition(object_ids)}
        # A narrow filter leaves gaps in a server's graph; exhaustive search has none.
        if not self._is_local:
            kwargs["search_params"] = models.SearchParams(exact=True)
        return kwargs

    def _condition(self, object_ids: list[str]) -> Any:
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency

        key = f"{self._store.metadata_payload_key}.{_KEY}"
        condition = models.FieldCondition(key=key, match=models.MatchAny(any=object_ids))
        return models.Filter(must=[condition])

    def chunk_count(self, object_ids: list[str] | None = None) -> int:
        among = None if object_ids is None else self._condition(object_ids)
        counted = self._store.client.count(self._store.collection_name, count_filter=among)
        return int(counted.count)

    def _searches_all(self, own: Mapping[str, Any], *, confined: bool) -> bool:
        asks_for_exact = bool(getattr(own.get("search_params"), "exact", False))
        return confined or asks_for_exact or self._is_local or self._is_not_indexed()

    def _is_not_indexed(self) -> bool:
        # A server makes its graph only once a collection has grown to some size.
        collection = self._store.client.get_collection(self._store.collection_name)
        is_quantized = collection.config.quantization_config is not None
        return not collection.indexed_vectors_count and not is_quantized


class _ChromaStore(KnownStore):
    exact = False

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"filter": {_KEY: {"$in": object_ids}}}

    def chunk_count(self, object_ids: list[str] | None = None) -> int:
        collection = self._store._collection
        if object_ids is None:
            return int(collection.count())
        return len(collection.get(where={_KEY: {"$in": object_ids}}, include=[])["ids"])

    def search_by_vector(self, vector: list[float], **kwargs: Any) -> Found:
        # Distances, in spite of its name.
        found: Found = self._store.similarity_search_by_vector_with_relevance_scores(
            vector, **kwargs
        )
        return found


class _LanceStore(KnownStore):
    arguments: ClassVar[Collection[str]] = {"filter", "prefilter"}
    harmless: ClassVar[Collection[str]] = {"filter", "prefilter"}

    @property
    def exact(self) -> bool:
        table = self._store.get_table()
        return table is not None and not any(
            self._store._vector_key in index.columns for index in table.list_indices()
        )

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        # Without prefilter the store filters only the k chunks that it has found.
        return {"filter": self._condition(object_ids), "prefilter": True}

    def _condition(self, object_ids: list[str]) -> str:
        return f"metadata.{_KEY} IN ({', '.join(map(_sql_literal, object_ids))})"

    def completed(self, own: Mapping[str, Any]) -> dict[str, Any]:
        return {"prefilter": True, **own} if own.get("filter") is not None else dict(own)

    def chunk_count(self, object_ids: list[str] | None = None) -> int | None:
        table = self._store.get_table()
        if table is None:
            return None
        among = None if object_ids is None else self._condition(object_ids)
        return int(table.count_rows(among))

    def _searches_all(self, own: Mapping[str, Any], *, confined: bool) -> bool:
        filters_late = own.get("filter") is not None and not own.get("prefilter", True)
        return self.exact and not filters_late

    def search_by_vector(self, vector: list[float], **kwargs: Any) -> Found:
        found: Found = self._store.similarity_search_by_vector(vector, score=True, **kwargs)
        return found


class _PostgresStore(KnownStore):
    """pgvector: with an index, rows are filtered after the index has chosen a few of them."""

    awaits_vectors = True

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"filter": {_KEY: {"$in": object_ids}}}

    def chunk_count(self, object_ids: list[str] | None = None) -> None:
        """PostgreSQL counts by reading the whole table."""


class _PGVector(_PostgresStore):
    @property
    def exact(self) -> bool:
        from sqlalchemy import text  # noqa: PLC0415 - an optional dependency

        if self._store.async_mode:
            return False
        with self._store._engine.connect() as connection:
            name = self._store.EmbeddingStore.__tablename__
            return bool(connection.scalar(text(_IS_SEARCHED_EXHAUSTIVELY), {"name": name}))


class _PGVectorStore(_PostgresStore):
    @property
    def _inner(self) -> Any:
        return getattr(self._store, "_PGVectorStore__vs", None)

    @property
    def is_dense(self) -> bool:
        embedding = getattr(self._inner, "embedding_service", None)
        return (
            getattr(self._inner, "hybrid_search_config", None) is None
            # Such a model embeds inside the database.
            and getattr(embedding, "embed_query_inline_template", None) is None
        )

    @property
    def exact(self) -> bool:
        engine = self._store._engine
        inner = self._inner
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


_STORES: dict[tuple[str, str], type[KnownStore]] = {
    ("langchain_chroma", "Chroma"): _ChromaStore,
    ("langchain_community", "Chroma"): _ChromaStore,
    ("langchain_community", "FAISS"): _FaissStore,
    ("langchain_community", "LanceDB"): _LanceStore,
    ("langchain_core", "InMemoryVectorStore"): _InMemoryStore,
    ("langchain_postgres", "PGVector"): _PGVector,
    ("langchain_postgres", "PGVectorStore"): _PGVectorStore,
    ("langchain_qdrant", "QdrantVectorStore"): _QdrantStore,
}


def known_store(vectorstore: VectorStore) -> KnownStore | None:
    """What is known of a store; ``None`` if nothing is."""
    kinds = type(vectorstore).__mro__
    for place, kind in enumerate(kinds):
        package = kind.__module__.partition(".")[0]
        if known := _STORES.get((package, kind.__name__)):
            overriding = [*map(vars, kinds[:place]), vars(vectorstore)]
            return known(vectorstore, is_original=not any(map(_changes_searches, overriding)))
    return None


def _changes_searches(attributes: Mapping[str, Any]) -> bool:
    return any(
        callable(value) and ("search" in name or "query" in name)
        for name, value in attributes.items()
    )


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
