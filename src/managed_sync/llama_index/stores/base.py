"""The base of the adapters of LlamaIndex's vector stores, and the adapter of an unknown one.

An index adds and deletes nodes. An adapter adds what LlamaIndex's interface lacks: whether a store
replaces a node of the same id, the ids in the store, and new metadata for an old vector.

LlamaIndex's own ``MetadataFilters`` are understood by most stores, so all known ones are filtered
with them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from typing import Any, ClassVar

from llama_index.core.indices.base import BaseIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)
from llama_index.core.vector_stores.utils import metadata_dict_to_node

from managed_sync.access.object_ids import OWN_FIELD
from managed_sync.documents.metadata_condition import is_metadata_condition
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.retrieval.object_filter import ids_for_one_search
from managed_sync.stores.base import StoreAdapter

__all__ = [
    "HARMLESS_ARGUMENTS",
    "LlamaIndexAdapter",
    "filterable_metadata",
    "metadata_filters",
    "stored_chunk",
]

# The arguments of ``as_retriever`` with which every known store's search stays exhaustive.
HARMLESS_ARGUMENTS = frozenset({"filters", "node_ids", "doc_ids", "embed_model"})


class LlamaIndexAdapter(StoreAdapter):
    """A vector store of LlamaIndex's; this class itself stands for an unknown one.

    Args:
        store: The vector store.
        index: The index over the store; only searching needs none.
        is_original: Whether its class searches as the known one does, and overrides nothing.

    Attributes:
        nests_filters: Whether the store understands filters inside filters.
    """

    nests_filters: ClassVar[bool] = False

    filter_argument = "filters"

    def __init__(
        self, store: Any, index: BaseIndex[Any] | None = None, *, is_original: bool = False
    ) -> None:
        super().__init__(store, is_original=is_original)
        self._index: Any = index

    def write(self, nodes: Sequence[TextNode], present: Set[str]) -> None:
        """Adds nodes that have their vectors, in place of those that have the same ids.

        Args:
            nodes: The nodes to write.
            present: The ids that may be in the store already.
        """
        if self.replaces_by_id:
            self._index.insert_nodes(nodes)
            return
        # Some unknown stores keep both nodes of an id, some the old one. So the text is there under
        # another id while its node is removed and added, whatever fails.
        copies = [
            node.model_copy(update={"id_": _copy_id(node.node_id)})
            for node in nodes
            if node.node_id in present
        ]
        if copies:
            self._index.insert_nodes(copies)
            self._remove(sorted(present))
        self._index.insert_nodes(nodes)
        if copies:
            self._remove([copy.node_id for copy in copies])

    def update_metadata(self, nodes: Sequence[TextNode]) -> None:
        """Replaces the metadata of nodes, and leaves their texts and vectors as they are."""
        raise NotImplementedError

    def delete(self, ids: Sequence[str]) -> None:
        """Removes nodes; an id that is not in the store is no error."""
        self._remove(ids)
        if not self.replaces_by_id:
            # A run that was killed may have left copies. Some stores fail if there are none.
            with suppress(Exception):
                self._remove([_copy_id(node_id) for node_id in ids])

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk] | None:
        """Returns the stored nodes with these ids, each once; ``None`` if it cannot say."""
        try:
            nodes = self._store.get_nodes(node_ids=list(ids))
        except NotImplementedError:
            return None
        # An unknown store may return metadata in another form than it was written in, and other
        # nodes, too.
        wanted = set(ids)
        return [
            StoredChunk(node.node_id, node.get_content(), None)
            for node in nodes
            if node.node_id in wanted
        ]

    def filter_of(self, own: object) -> MetadataFilters:
        """Returns the caller's filter as LlamaIndex's.

        Raises:
            ConfigurationError: It is not a filter.
        """
        if is_metadata_condition(own):
            return MetadataFilters(
                filters=[MetadataFilter(key=name, value=value) for name, value in own.items()]
            )
        if not isinstance(own, MetadataFilters):
            raise ConfigurationError(
                f"filter must be MetadataFilters or a mapping of equal metadata such as "
                f"{{'integration': 'zendesk'}}, got {type(own).__name__}."
            )
        return own

    def _both(self, name: str, own: Any, further: Any) -> Any:
        if name != "filters":
            return None
        parts: list[Any] = []
        for each in (own, further):
            is_joined = each.condition in {None, FilterCondition.AND}
            if not is_joined and not self.nests_filters:
                return None
            parts += each.filters if is_joined else [each]
        return MetadataFilters(filters=parts)

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"filters": metadata_filters(object_ids, self._object_field.name)}

    def _remove(self, ids: Sequence[str]) -> None:
        # An index that keeps its own list of nodes fails on an id that is not in it.
        keeps_list = not self._store.stores_text or self._index._store_nodes_override  # noqa: SLF001 - private in llama-index-core 0.14
        own_list = self._index.index_struct.nodes_dict
        known = [node_id for node_id in ids if not keeps_list or node_id in own_list]
        if known:
            self._index.delete_nodes(known, delete_from_docstore=True)


def metadata_filters(object_ids: Sequence[str], field: str = OWN_FIELD.name) -> MetadataFilters:
    """Confines a search to the chunks of these objects; no ids means none, never all of them.

    Args:
        object_ids: The objects.
        field: The metadata field that names a chunk's object.

    Examples:
        ```python
        index.as_retriever(similarity_top_k=6, filters=metadata_filters(["file:1", "file:2"]))
        ```
    """
    wanted = ids_for_one_search(object_ids, max_objects=None)
    return MetadataFilters(
        filters=[MetadataFilter(key=field, operator=FilterOperator.IN, value=wanted)]
    )


def stored_chunk(
    node_id: str, payload: Mapping[str, Any], text: str | None, vector: Any
) -> StoredChunk:
    """Returns a chunk from a node's payload: the node as JSON, and its metadata.

    A node whose JSON cannot be read has neither text nor metadata, so that it is written again.
    """
    try:
        node = metadata_dict_to_node(dict(payload), text=text)
        content = node.get_content()
    except Exception:  # noqa: BLE001 - LlamaIndex may raise anything for damaged JSON
        return StoredChunk(node_id, text or "", {}, vector)
    return StoredChunk(node_id, content, filterable_metadata(node.metadata, payload), vector)


def filterable_metadata(metadata: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a node's metadata with the values that searches filter by: those of the payload."""
    return {key: payload.get(key) for key in metadata}


def _copy_id(node_id: str) -> str:
    """Returns the id of a node's copy, always the same one."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, node_id))
