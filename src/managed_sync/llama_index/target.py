"""Lets ``IndexSync`` write into a LlamaIndex index."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from llama_index.core.indices.base import BaseIndex

from managed_sync.documents import Chunk
from managed_sync.llama_index.conversion import to_node

__all__ = ["LlamaIndexTarget"]


class LlamaIndexTarget:
    """An index as the target, such as a ``VectorStoreIndex`` over any vector store.

    Args:
        index: The index; it embeds with its own embedding model.
    """

    def __init__(self, index: BaseIndex[Any]) -> None:
        self._index = index

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str] = frozenset()) -> None:
        """Writes chunks; those whose ids are in ``present`` are replaced."""
        # Not every LlamaIndex store replaces a node of the same id: some keep both, some the old.
        if present:
            self.delete(sorted(present))
        self._index.insert_nodes([to_node(chunk) for chunk in chunks])

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks; one that is not there is no error."""
        # Where the index keeps its own list of nodes, it fails on one that is not in it.
        own_list = getattr(self._index.index_struct, "nodes_dict", None)
        known = [chunk_id for chunk_id in chunk_ids if not own_list or chunk_id in own_list]
        if known:
            self._index.delete_nodes(known, delete_from_docstore=True)
