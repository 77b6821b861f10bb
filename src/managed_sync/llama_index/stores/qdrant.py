"""The adapter of LlamaIndex's ``QdrantVectorStore``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import MetadataFilters
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from managed_sync.documents.metadata_condition import is_metadata_condition
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.llama_index.stores.base import (
    HARMLESS_ARGUMENTS,
    LlamaIndexAdapter,
    stored_chunk,
)
from managed_sync.stores.qdrant import QdrantCollection, is_local, payload_key

__all__ = ["QdrantAdapter"]

_EXACT = {"vector_store_kwargs": {"search_params": {"exact": True}}}


class QdrantAdapter(QdrantCollection, LlamaIndexAdapter):
    """A collection whose payloads are the nodes' metadata."""

    classes = frozenset({("llama_index.vector_stores.qdrant", "QdrantVectorStore")})
    nests_filters = True
    harmless = HARMLESS_ARGUMENTS | {"vector_store_kwargs"}

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored nodes with these ids."""
        return [
            stored_chunk(key, payload, None, vector)
            for key, payload, vector in self._points(ids, vectors=vectors)
        ]

    def delete(self, ids: Sequence[str]) -> None:
        """Removes nodes, once there is a collection."""
        if self._exists:
            super().delete(ids)

    def update_metadata(self, nodes: Sequence[TextNode]) -> None:
        """Replaces the metadata of nodes."""
        flat = self._store.flat_metadata
        payloads = {
            node.node_id: node_to_metadata_dict(node, remove_text=False, flat_metadata=flat)
            for node in nodes
        }
        self._set_payloads(payloads, whole=True)

    def filter_of(self, own: object) -> MetadataFilters:
        """Returns the caller's filter as LlamaIndex's.

        Raises:
            ConfigurationError: It is not a filter, or has a name that Qdrant cannot filter by.
        """
        if is_metadata_condition(own):
            return super().filter_of({payload_key(name): value for name, value in own.items()})
        return super().filter_of(own)

    @property
    def _client(self) -> Any:
        # Private in llama-index-vector-stores-qdrant 0.10.
        return getattr(self._store, "_client", None)

    @property
    def _vector_name(self) -> str:
        return self._store.dense_vector_name or ""

    @property
    def _is_local(self) -> bool:
        return is_local(self._client or getattr(self._store, "_aclient", None))

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        kwargs = super()._confined_to(object_ids)
        return kwargs if self._is_local else {**kwargs, **_EXACT}

    def combined(self, own: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the arguments of a search that both confine."""
        # With these, the store would ignore all other filters.
        has_own = (own.get("vector_store_kwargs") or {}).get("qdrant_filters") is not None
        return None if has_own else super().combined(own, further)

    def _both(self, name: str, own: Any, further: Any) -> Any:
        if name != "vector_store_kwargs":
            return super()._both(name, own, further)
        parameters = {**dict(own.get("search_params") or {}), **further["search_params"]}
        return {**own, "search_params": parameters}

    def _is_exhaustive(self, own: Mapping[str, Any], confined: bool) -> bool:
        if "vector_store_kwargs" in own:
            return dict(own["vector_store_kwargs"]) == _EXACT["vector_store_kwargs"]
        return confined or self._is_local or self._is_not_indexed()
