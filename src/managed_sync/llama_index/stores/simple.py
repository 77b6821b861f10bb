"""The adapter of LlamaIndex's ``SimpleVectorStore``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.llama_index.stores.base import (
    HARMLESS_ARGUMENTS,
    LlamaIndexAdapter,
    filterable_metadata,
)

__all__ = ["SimpleAdapter"]


class SimpleAdapter(LlamaIndexAdapter):
    """Dictionaries of vectors and metadata; every search compares the question with all of them."""

    classes = frozenset({("llama_index.core", "SimpleVectorStore")})
    harmless = HARMLESS_ARGUMENTS
    can_update_metadata = True
    replaces_by_id = True
    exact = True

    def chunk_count(self, object_ids: list[str] | None = None) -> int:
        """Returns the number of nodes, of all objects or of these."""
        if object_ids is None:
            return len(self._store.data.embedding_dict)
        wanted = frozenset(object_ids)
        return sum(
            self._named_object(each) in wanted for each in self._store.data.metadata_dict.values()
        )

    def dimensions(self) -> int | None:
        """Returns the length of the vectors, once there is one."""
        return next(map(len, self._store.data.embedding_dict.values()), None)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored nodes with these ids."""
        stored, documents = self._store.data.embedding_dict, self._index.docstore.docs
        payloads = self._store.data.metadata_dict
        return [
            StoredChunk(
                key,
                documents[key].get_content(),
                filterable_metadata(documents[key].metadata, payloads.get(key, {})),
                stored[key],
            )
            for key in ids
            if key in stored and key in documents
        ]

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the nodes with this metadata."""
        return (
            node_id
            for node_id, stored in self._store.data.metadata_dict.items()
            if metadata.items() <= stored.items()
        )

    def update_metadata(self, nodes: Sequence[TextNode]) -> None:
        """Replaces the metadata of nodes, in the index's docstore too."""
        self._index.docstore.add_documents(nodes, allow_update=True)
        for node in nodes:
            metadata = node_to_metadata_dict(node, remove_text=True, flat_metadata=False)
            metadata.pop("_node_content")
            self._store.data.metadata_dict[node.node_id] = metadata
