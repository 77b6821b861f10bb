"""The adapter of LlamaIndex's ``MilvusVectorStore``."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence, Set
from typing import Any

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import FilterOperator, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from managed_sync.documents.metadata_condition import is_metadata_condition
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.llama_index.stores.base import (
    HARMLESS_ARGUMENTS,
    LlamaIndexAdapter,
    stored_chunk,
)
from managed_sync.stores.milvus import MilvusCollection

__all__ = ["MilvusAdapter"]


class MilvusAdapter(MilvusCollection, LlamaIndexAdapter):
    """A collection whose dynamic fields are the nodes' metadata."""

    classes = frozenset({("llama_index.vector_stores.milvus", "MilvusVectorStore")})
    nests_filters = True
    harmless = HARMLESS_ARGUMENTS

    def write(self, nodes: Sequence[TextNode], present: Set[str]) -> None:
        """Adds nodes, in place of those that have the same ids.

        The store itself would keep both, unless it was made with ``upsert_mode``.
        """
        index: Any = copy.copy(self._index)
        index._vector_store = self._store.model_copy(update={"upsert_mode": True})  # noqa: SLF001 - private in llama-index-core 0.14
        index.insert_nodes(nodes)
        replaced = [node for node in nodes if node.node_id in present]
        self._replace_metadata(self._fields(replaced), [self._store.text_key], if_stale=True)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored nodes with these ids."""
        text, vector = self._store.text_key, self._vector_key
        return [
            stored_chunk(str(row[self._key]), row, row[text], list(map(float, row[vector])))
            for row in self._rows(ids)
        ]

    def update_metadata(self, nodes: Sequence[TextNode]) -> None:
        """Replaces the metadata of nodes."""
        self._replace_metadata(self._fields(nodes), [self._store.text_key])

    def filter_of(self, own: object) -> MetadataFilters:
        """Returns the caller's filter as LlamaIndex's.

        Raises:
            ConfigurationError: It is not a filter.
        """
        if not is_metadata_condition(own):
            return super().filter_of(own)
        self._equal(own)  # which refuses names that the store would take for something else
        # The store escapes texts in a list, and single ones only in part.
        return MetadataFilters(
            filters=[
                MetadataFilter(key=name, operator=FilterOperator.IN, value=[value])
                for name, value in own.items()
            ]
        )

    def combined(self, own: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the arguments of a search that both confine."""
        # The store ignores an expression of the caller's if there is a filter.
        has_own = "string_expr" in (own.get("vector_store_kwargs") or {})
        return None if has_own else super().combined(own, further)

    def _fields(self, nodes: Sequence[TextNode]) -> dict[str, Mapping[str, Any]]:
        text = self._store.text_key
        return {
            node.node_id: node_to_metadata_dict(node, remove_text=True, text_field=text)
            for node in nodes
        }

    @property
    def _key(self) -> str:
        return "id"

    @property
    def _vector_key(self) -> str:
        name: str = self._store.embedding_field
        return name

    @property
    def _search_parameters(self) -> Any:
        return self._store.search_config
