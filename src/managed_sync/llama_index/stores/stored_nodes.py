"""What the index target asks of the stores that people use with LlamaIndex.

Beside LlamaIndex's own interface: whether a store replaces, what it holds, other metadata without
another vector. A store is recognized by the name of its class and of the package that defines it,
or one that it inherits from; any other one is asked through LlamaIndex's interface alone.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from typing import Any, ClassVar

from llama_index.core.indices.vector_store.base import VectorStoreIndex
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.stores.chroma import ChromaCollection
from managed_sync.stores.qdrant import QdrantCollection

__all__ = ["StoredNodes", "stored_nodes"]


class StoredNodes:
    """The nodes of any index.

    Attributes:
        can_relabel: Whether metadata can be changed without embedding.
    """

    can_relabel: ClassVar[bool] = False

    def __init__(self, index: VectorStoreIndex) -> None:
        self._index = index
        self._store: Any = index.vector_store

    def write(self, nodes: Sequence[TextNode], present: Set[str]) -> None:
        """Adds nodes that have their vectors, in place of those that have the same ids.

        Args:
            nodes: What to add.
            present: The ids that may be there already.
        """
        # Not every store replaces a node of the same id: some keep both, some the old one. So the
        # text is there under another id while its node is removed and added, whatever fails.
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

    def dimensions(self) -> int | None:
        """How long the vectors are that the store takes; ``None`` if any, or if it cannot say."""
        return None

    def held(self, ids: Sequence[str]) -> Set[str] | None:
        """Those of some nodes that are there; ``None`` if the store cannot say."""
        found = self.read(ids)
        return None if found is None else {chunk.chunk_id for chunk in found}

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk] | None:
        """What is there under some ids, each node once; ``None`` if the store cannot say."""
        try:
            nodes = self._store.get_nodes(node_ids=list(ids))
        except NotImplementedError:
            return None
        # Whether an unknown store gives metadata back as it was written is not known either, nor
        # whether it returns only what it was asked for.
        wanted = set(ids)
        return [
            StoredChunk(node.node_id, node.get_content(), None)
            for node in nodes
            if node.node_id in wanted
        ]

    def delete(self, ids: Sequence[str]) -> None:
        """Removes nodes; one that is not there is no error."""
        self._remove(ids)
        # A run that was killed may have left their copies. Some stores fail if there are none.
        with suppress(Exception):
            self._remove([_copy_id(node_id) for node_id in ids])

    def relabel(self, nodes: Sequence[TextNode]) -> None:
        """Replaces the metadata of nodes."""
        raise NotImplementedError

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """The nodes that have this metadata; ``None`` if the store cannot say."""
        return None

    def count(self, metadata: Mapping[str, str]) -> int | None:
        """How many nodes have this metadata; ``None`` if the store cannot say."""
        found = self.ids(metadata)
        return None if found is None else sum(1 for _ in found)

    def _remove(self, ids: Sequence[str]) -> None:
        # Where the index keeps its own list of nodes, it fails on one that is not in it.
        keeps_list = not self._store.stores_text or self._index._store_nodes_override
        own_list = self._index.index_struct.nodes_dict
        known = [node_id for node_id in ids if not keeps_list or node_id in own_list]
        if known:
            self._index.delete_nodes(known, delete_from_docstore=True)


class _ReplacingNodes(StoredNodes):
    """The nodes of a store that is known to replace by id."""

    can_relabel = True

    def write(self, nodes: Sequence[TextNode], present: Set[str]) -> None:
        self._index.insert_nodes(nodes)

    def delete(self, ids: Sequence[str]) -> None:
        self._remove(ids)


class _SimpleNodes(_ReplacingNodes):
    def dimensions(self) -> int | None:
        return next(map(len, self._store.data.embedding_dict.values()), None)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        held, documents = self._store.data.embedding_dict, self._index.docstore.docs
        beside = self._store.data.metadata_dict
        return [
            StoredChunk(
                key,
                documents[key].get_content(),
                _searched(documents[key].metadata, beside.get(key, {})),
                held[key],
            )
            for key in ids
            if key in held and key in documents
        ]

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


class _QdrantNodes(_ReplacingNodes):
    def __init__(self, index: VectorStoreIndex) -> None:
        super().__init__(index)
        self._collection = QdrantCollection(
            self._store.client,
            self._store.collection_name,
            vector_name=self._store.dense_vector_name or "",
        )

    def dimensions(self) -> int | None:
        return self._collection.dimensions()

    def held(self, ids: Sequence[str]) -> Set[str]:
        return self._collection.held(ids)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        return [
            _stored(key, payload, None, vector)
            for key, payload, vector in self._collection.points(ids, vectors=vectors)
        ]

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

    def count(self, metadata: Mapping[str, str]) -> int:
        return self._collection.count(metadata)


class _ChromaNodes(_ReplacingNodes):
    def __init__(self, index: VectorStoreIndex) -> None:
        super().__init__(index)
        self._collection = ChromaCollection(self._store._collection)

    def write(self, nodes: Sequence[TextNode], present: Set[str]) -> None:
        # LlamaIndex's own adding leaves a node as it is that has the same id.
        there = self._collection.held(sorted(present)) if present else set()
        self._collection.replace(
            {
                node.node_id: (node.get_content(), node.get_embedding(), self._metadata(node))
                for node in nodes
                if node.node_id in there
            }
        )
        new = [node for node in nodes if node.node_id not in there]
        if new:
            self._index.insert_nodes(new)

    def dimensions(self) -> int | None:
        return self._collection.dimensions()

    def held(self, ids: Sequence[str]) -> Set[str]:
        return self._collection.held(ids)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        return [
            _stored(chunk.chunk_id, chunk.metadata or {}, chunk.text, chunk.vector)
            for chunk in self._collection.read(ids, vectors=vectors)
        ]

    def relabel(self, nodes: Sequence[TextNode]) -> None:
        self._collection.set_metadata({node.node_id: self._metadata(node) for node in nodes})

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return self._collection.ids(metadata)

    def _metadata(self, node: TextNode) -> dict[str, Any]:
        flat = self._store.flat_metadata
        metadata = node_to_metadata_dict(node, remove_text=True, flat_metadata=flat)
        return {key: "" if value is None else value for key, value in metadata.items()}


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


def _stored(node_id: str, payload: Mapping[str, Any], text: str | None, vector: Any) -> StoredChunk:
    """A node as a store keeps it: its fields as JSON, and its metadata once more beside them.

    One whose fields cannot be read has neither text nor metadata, and so is to be written again.
    """
    try:
        node = metadata_dict_to_node(dict(payload), text=text)
        content = node.get_content()
    except Exception:  # noqa: BLE001 - of damaged fields LlamaIndex may raise anything
        return StoredChunk(node_id, text or "", {}, vector)
    return StoredChunk(node_id, content, _searched(node.metadata, payload), vector)


def _searched(metadata: Mapping[str, Any], beside: Mapping[str, Any]) -> dict[str, Any]:
    """A node's metadata as searches filter by them: as they stand beside the node."""
    return {key: beside.get(key) for key in metadata}


def _copy_id(node_id: str) -> str:
    """The id of a node's copy, always the same."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, node_id))
