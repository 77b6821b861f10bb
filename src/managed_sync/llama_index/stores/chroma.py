"""The adapter of LlamaIndex's ``ChromaVectorStore``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.llama_index.stores.base import (
    HARMLESS_ARGUMENTS,
    LlamaIndexAdapter,
    stored_chunk,
)
from managed_sync.stores.chroma import ChromaCollection

__all__ = ["ChromaAdapter"]


class ChromaAdapter(ChromaCollection, LlamaIndexAdapter):
    """A collection of Chroma."""

    classes = frozenset({("llama_index.vector_stores.chroma", "ChromaVectorStore")})
    nests_filters = True
    harmless = HARMLESS_ARGUMENTS

    def write(self, nodes: Sequence[TextNode], present: Set[str]) -> None:
        """Adds nodes; LlamaIndex itself leaves a node unchanged that has the same id."""
        existing = self.existing_ids(sorted(present)) if present else set()
        self._replace(
            {
                node.node_id: (node.get_content(), node.get_embedding(), self._metadata(node))
                for node in nodes
                if node.node_id in existing
            }
        )
        new = [node for node in nodes if node.node_id not in existing]
        if new:
            self._index.insert_nodes(new)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored nodes with these ids."""
        return [
            stored_chunk(chunk.chunk_id, chunk.metadata or {}, chunk.text, chunk.vector)
            for chunk in super().read(ids, vectors=vectors)
        ]

    def update_metadata(self, nodes: Sequence[TextNode]) -> None:
        """Replaces the metadata of nodes."""
        self._set_metadata({node.node_id: self._metadata(node) for node in nodes})

    def combined(self, own: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the arguments of a search that both confine."""
        # The store takes its own conditions or LlamaIndex's filters, not both.
        has_own = "where" in (own.get("vector_store_kwargs") or {})
        return None if has_own else super().combined(own, further)

    def _metadata(self, node: TextNode) -> dict[str, Any]:
        flat = self._store.flat_metadata
        metadata = node_to_metadata_dict(node, remove_text=True, flat_metadata=flat)
        return {key: "" if value is None else value for key, value in metadata.items()}
