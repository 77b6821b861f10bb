"""Object filters for the vector stores that people use with LlamaIndex, and how far these reach.

LlamaIndex's own ``MetadataFilters`` are understood by most stores, each in its way. A store is
recognized by the name of its class and of the package that defines it, or one that it inherits
from, so that no package is imported which is not in use already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from llama_index.core.indices.base import BaseIndex
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters

from managed_sync.retrieval.effects import Inspect, Reach
from managed_sync.retrieval.object_filter import ObjectFilter, ids_for_one_search

__all__ = ["KnownStore", "chunk_count", "known_store", "metadata_filters", "object_filter_for"]

_KEY = "object_id"


def metadata_filters(object_ids: Sequence[str]) -> MetadataFilters:
    """Confines a search to the chunks of these objects; no ids means none, never all of them.

    Examples:
        ```python
        index.as_retriever(similarity_top_k=6, filters=metadata_filters(["file:1", "file:2"]))
        ```
    """
    wanted = ids_for_one_search(object_ids, max_objects=None)
    return MetadataFilters(
        filters=[MetadataFilter(key=_KEY, operator=FilterOperator.IN, value=wanted)]
    )


def object_filter_for(index: BaseIndex[Any]) -> ObjectFilter | None:
    """The object filter of an index; ``None`` if its store is not known.

    Its ``search_kwargs`` are for ``index.as_retriever``, beside ``similarity_top_k``.
    """
    return known_store(getattr(index, "vector_store", None))


def chunk_count(index: BaseIndex[Any]) -> int | None:
    """How many chunks an index's store holds; ``None`` if it does not say cheaply."""
    known = known_store(getattr(index, "vector_store", None))
    return known.chunk_count() if known else None


class KnownStore:
    """The filter of one store, and what is known of its searches.

    Args:
        store: The vector store.
        is_original: Whether its class searches as the known one does, and overrides nothing.
    """

    max_objects: ClassVar[int | None] = 10_000
    exact: bool = True
    # The arguments of ``as_retriever`` that the filter sets.
    arguments: ClassVar[Collection[str]] = {"filters"}
    # Arguments of the caller's that make an exhaustive search no less exhaustive.
    harmless: ClassVar[Collection[str]] = {"filters", "node_ids", "doc_ids", "embed_model"}

    def __init__(self, store: Any, *, is_original: bool = True) -> None:
        self._store = store
        self.is_original = is_original

    def search_kwargs(self, object_ids: Sequence[str], /) -> dict[str, Any]:
        """Arguments of ``as_retriever`` that confine it to these objects."""
        wanted = ids_for_one_search(object_ids, self.max_objects)
        return {"filters": metadata_filters(wanted)}

    def chunk_count(self, object_ids: Sequence[str] | None = None) -> int | None:
        """How many chunks there are, of all objects or of these; ``None`` if it cannot say."""
        raise NotImplementedError

    def reach(self, step: Inspect, own: Mapping[str, Any]) -> Reach:
        """How far searches with the caller's own arguments reach."""
        if not self.is_original:
            # What it holds, it may hold elsewhere.
            return Reach()
        exhaustive = own.keys() <= set(self.harmless) and self._searches_all(
            own, confined=step.objects is not None
        )
        if not step.count or (exhaustive and step.objects is not None):
            return Reach(exhaustive)
        return Reach(exhaustive, self.chunk_count(step.objects))

    def _searches_all(self, own: Mapping[str, Any], *, confined: bool) -> bool:
        return self.exact


class _SimpleStore(KnownStore):
    def chunk_count(self, object_ids: Sequence[str] | None = None) -> int:
        if object_ids is None:
            return len(self._store.data.embedding_dict)
        wanted = frozenset(object_ids)
        return sum(each.get(_KEY) in wanted for each in self._store.data.metadata_dict.values())


class _QdrantStore(KnownStore):
    arguments: ClassVar[Collection[str]] = {"filters", "vector_store_kwargs"}
    harmless: ClassVar[Collection[str]] = {*KnownStore.harmless, "vector_store_kwargs"}

    def search_kwargs(self, object_ids: Sequence[str], /) -> dict[str, Any]:
        kwargs = super().search_kwargs(object_ids)
        # A narrow filter leaves gaps in a server's graph; exhaustive search has none.
        return kwargs if self._is_local else {**kwargs, **_EXACT}

    def chunk_count(self, object_ids: Sequence[str] | None = None) -> int | None:
        # The synchronous client is missing where only an asynchronous one was given.
        client = getattr(self._store, "_client", None)
        if client is None:
            return None
        among = None
        if object_ids is not None:
            from qdrant_client import models  # noqa: PLC0415 - an optional dependency

            match = models.MatchAny(any=list(object_ids))
            among = models.Filter(must=[models.FieldCondition(key=_KEY, match=match)])
        return int(client.count(self._store.collection_name, count_filter=among).count)

    @property
    def _is_local(self) -> bool:
        # Exhaustive search is all that the local mode knows.
        client = getattr(self._store, "_client", None) or getattr(self._store, "_aclient", None)
        return "Local" in type(getattr(client, "_client", None)).__name__

    def _searches_all(self, own: Mapping[str, Any], *, confined: bool) -> bool:
        if "vector_store_kwargs" in own:
            return dict(own["vector_store_kwargs"]) == _EXACT["vector_store_kwargs"]
        return confined or self._is_local or self._is_not_indexed()

    def _is_not_indexed(self) -> bool:
        # A server makes its graph only once a collection has grown to some size.
        client = getattr(self._store, "_client", None)
        if client is None:
            return False
        collection = client.get_collection(self._store.collection_name)
        is_quantized = collection.config.quantization_config is not None
        return not collection.indexed_vectors_count and not is_quantized


class _ChromaStore(KnownStore):
    exact = False

    def chunk_count(self, object_ids: Sequence[str] | None = None) -> int:
        collection = self._store._collection
        if object_ids is None:
            return int(collection.count())
        return len(collection.get(where={_KEY: {"$in": list(object_ids)}}, include=[])["ids"])


_EXACT = {"vector_store_kwargs": {"search_params": {"exact": True}}}
_STORES: dict[tuple[str, str], type[KnownStore]] = {
    ("llama_index.core.vector_stores.simple", "SimpleVectorStore"): _SimpleStore,
    ("llama_index.vector_stores.qdrant.base", "QdrantVectorStore"): _QdrantStore,
    ("llama_index.vector_stores.chroma.base", "ChromaVectorStore"): _ChromaStore,
}


def known_store(store: object) -> KnownStore | None:
    """What is known of a store; ``None`` if nothing is."""
    kinds = type(store).__mro__
    for place, kind in enumerate(kinds):
        if known := _STORES.get((kind.__module__, kind.__name__)):
            overriding = [*map(vars, kinds[:place]), vars(store)]
            return known(store, is_original=not any(map(_changes_searches, overriding)))
    return None


def _changes_searches(attributes: Mapping[str, Any]) -> bool:
    return any(callable(value) and "query" in name for name, value in attributes.items())
