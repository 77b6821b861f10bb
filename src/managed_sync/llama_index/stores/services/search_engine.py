"""The part that the adapters of Elasticsearch and OpenSearch have in common."""

from __future__ import annotations

from collections.abc import Sequence

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.llama_index.stores.base import LlamaIndexAdapter, stored_chunk
from managed_sync.stores.search_engine import METADATA, SearchEngineIndex

__all__ = ["SearchEngineAdapter"]


class SearchEngineAdapter(SearchEngineIndex, LlamaIndexAdapter):
    """An index, which the integration creates when it is first used."""

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored nodes with these ids."""
        return [
            stored_chunk(key, source.get(METADATA) or {}, source.get(self._text_key), vector)
            for key, source in self._sources(ids, "true")
            for vector in [self._vector(source)]
        ]

    def update_metadata(self, nodes: Sequence[TextNode]) -> None:
        """Replaces the metadata of nodes."""
        self._replace_metadata(
            {node.node_id: node_to_metadata_dict(node, remove_text=True) for node in nodes}
        )
