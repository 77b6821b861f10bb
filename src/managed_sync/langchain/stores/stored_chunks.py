"""The chunks of a vector store, asked through LangChain's interface alone.

The interface adds, deletes and gets by id. What it lacks, ``known_stores`` asks of each store that
people use in that store's own way; any other store has what is here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

from langchain_core.documents import Document

from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.indexing.targets.vectors import Vector

__all__ = ["Add", "StoredChunks"]

# Adds documents, and raises unless the store confirms all of them.
Add: TypeAlias = Callable[[Sequence[Document]], None]


class StoredChunks:
    """The chunks of any store.

    Attributes:
        can_relabel: Whether metadata can be changed without embedding.
        delete_options: What confines the store's ``delete`` to its own chunks.
    """

    can_relabel: ClassVar[bool] = False
    delete_options: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    def __init__(self, store: Any) -> None:
        self._store = store

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents, in place of those that have the same ids.

        Args:
            documents: What to add.
            present: The ids that may be there already.
            add: Adds them.
        """
        add(documents)
        # Stores should replace by id. One that kept both is told to remove both, and adds again.
        doubled = self._doubled(present) if present else set()
        if doubled:
            self._store.delete(sorted(doubled))
            add([document for document in documents if document.id in doubled])

    def writable(self, documents: Sequence[Document], vector: Vector) -> Sequence[Document]:
        """Some documents as the store takes them.

        Args:
            documents: What is to be written.
            vector: One of their vectors.
        """
        return documents

    def dimensions(self) -> int | None:
        """How long the vectors are that the store takes; ``None`` if any, or if it cannot say."""
        return None

    def deletable(self, ids: Sequence[str]) -> list[str]:
        """Those of some chunks that the store can be told to delete without failing."""
        return list(ids)

    def relabel(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        raise NotImplementedError

    def held(self, ids: Sequence[str]) -> Set[str] | None:
        """Those of some chunks that are there; ``None`` if the store cannot say."""
        found = self.read(ids)
        return None if found is None else {chunk.chunk_id for chunk in found}

    def ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """The chunks that have this metadata; ``None`` if the store cannot say."""
        return None

    def count(self, metadata: Mapping[str, str]) -> int | None:
        """How many chunks have this metadata; ``None`` if the store cannot say."""
        found = self.ids(metadata)
        return None if found is None else sum(1 for _ in found)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk] | None:
        """What is there under some ids, each row once; ``None`` if the store cannot say."""
        found = self._documents(ids)
        if found is None:
            return None
        # Whether an unknown store gives metadata back as it was written is not known either.
        return [StoredChunk(str(one.id), one.page_content, None) for one in found]

    def _documents(self, ids: Sequence[str]) -> list[Document] | None:
        wanted = set(ids)
        try:
            found: list[Document] = self._store.get_by_ids(list(ids))
        except NotImplementedError:
            return None
        # A store may return more than it was asked for: that is not to be replaced or removed.
        return [document for document in found if str(document.id) in wanted]

    def _doubled(self, ids: Set[str]) -> set[str]:
        found = [str(document.id) for document in self._documents(sorted(ids)) or ()]
        return {key for key in found if found.count(key) > 1}
