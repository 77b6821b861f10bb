"""What the index target asks of the stores that people use with LlamaIndex.

Beside LlamaIndex's own interface: whether a store replaces, what it holds, other metadata without
another vector. A store is recognised by the name of its class and of the package that defines it,
or one that it inherits from; any other one is asked through LlamaIndex's interface alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, ClassVar

from llama_index.core.indices.vector_store.base import VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.utils import node_to_metadata_dict

from managed_sync.indexing.chroma_collection import ChromaCollection
from managed_sync.indexing.qdrant_collection import QdrantCollection

__all__ = ["StoredNodes", "stored_nodes"]


class StoredNodes:
    """The nodes of any index.

    Attributes:
        replaces: Whether adding a node replaces the one of the same id.
        can_relabel: Whether metadata can be changed without embedding.
    """

    replaces: ClassVar[bool] = False
    can_relabel: ClassVar[bool] = False

    def __init__(self, index: VectorStoreIndex) -> None:
        self._index = index
        self._store: Any = index.vector_store

    def held(self, ids: Sequence[str]) -> Set[str] | None:
        """Those of some nodes that are there; ``None`` if the store cannot say."""
        try:
            nodes = self._store.get_nodes(node_ids=list(ids))
        except NotImplementedError:
            return None
        return {node.node_id for node in nodes}

    def delete(self, ids: Sequence[str]) -> None:
        """Removes nodes; one that is not there is no error."""
        # Where the index keeps its own list of nodes, it fails on one that is not in it.
        keeps_list = not self._store.stores_text or self._index._store_nodes_override
        own_list = self._index.index_struct.nodes_dict
        known = [node_id for node_id in ids if not keeps_list or node_id in own_list]
        if known:
            self._index.delete_nodes(known, delete_from_docstore=True)

    def relabel(self, nodes: Sequence[TextNode]) -> None:
        """Replaces the metadata of nodes."""
        raise NotImplementedError

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """The nodes that have this metadata; ``None`` if the store cannot say."""
        return None


class _SimpleNodes(StoredNodes):
    replaces = True
    can_relabel = True

    def held(self, ids: Sequence[str]) -> Set[str]:
        return set(ids) & set(self._store.data.embedding_dict)

    def relabel(self, nodes: Sequence[TextNode]) -> None:
        self._index.docstore.add_documents(nodes, allow_update=True)
        for node in nodes:
            metadata = node_to_metadata_dict(node, remove_text=True, flat_metadata=False)
            metadata.pop("_node_content")
            self._store.data.metadata_dict[node.node_id] = metadata

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return (
            node_id
            for node_id, held in self._store.data.metadata_dict.items()
            if metadata.items() <= held.items()
        )


class _QdrantNodes(StoredNodes):
    replaces = True
    can_relabel = True

    def __init__(self, index: VectorStoreIndex) -> None:
        super().__init__(index)
        self._collection = QdrantCollection(self._store.client, self._store.collection_name)

    def held(self, ids: Sequence[str]) -> Set[str]:
        return self._collection.held(ids)

    def delete(self, ids: Sequence[str]) -> None:
        # The collection is made with the first node.
        if self._collection.exists:
            super().delete(ids)

    def relabel(self, nodes: Sequence[TextNode]) -> None:
        flat = self._store.flat_metadata
        payloads = {
            node.node_id: node_to_metadata_dict(node, remove_text=False, flat_metadata=flat)
            for node in nodes
        }
        self._collection.set_payloads(payloads, whole=True)

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return self._collection.ids(metadata)


class _ChromaNodes(StoredNodes):
    can_relabel = True

    def __init__(self, index: VectorStoreIndex) -> None:
        super().__init__(index)
        self._collection = ChromaCollection(self._store._collection)

    def held(self, ids: Sequence[str]) -> Set[str]:
        return self._collection.held(ids)

    def relabel(self, nodes: Sequence[TextNode]) -> None:
        flat = self._store.flat_metadata
        self._collection.set_metadata(
            {
                node.node_id: {
                    key: "" if value is None else value
                    for key, value in node_to_metadata_dict(
                        node, remove_text=True, flat_metadata=flat
                    ).items()
                }
                for node in nodes
            }
        )

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return self._collection.ids(metadata)


_KINDS: dict[tuple[str, str], type[StoredNodes]] = {
    ("llama_index.core", "SimpleVectorStore"): _SimpleNodes,
    ("llama_index.vector_stores.chroma", "ChromaVectorStore"): _ChromaNodes,
    ("llama_index.vector_stores.qdrant", "QdrantVectorStore"): _QdrantNodes,
}


def stored_nodes(index: VectorStoreIndex) -> StoredNodes:
    """The nodes of an index."""
    for kind in type(index.vector_store).__mro__:
        for (package, name), known in _KINDS.items():
            if kind.__name__ == name and f"{kind.__module__}.".startswith(f"{package}."):
                return known(index)
    return StoredNodes(index)
