"""The base of the adapters of LangChain's vector stores, and the adapter of an unknown one.

LangChain's interface searches, adds, deletes and gets by id. An adapter adds what the interface
lacks: a search by vector with scores, the ids in the store, and new metadata for an old vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

from langchain_core.documents import Document

from managed_sync.documents.vectors import Vector
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.stores.base import StoreAdapter

__all__ = ["Add", "Found", "LangChainAdapter"]

# Documents and their scores, best first.
Found: TypeAlias = Sequence[tuple[Document, float | None]]
# Adds documents, and raises unless the store confirms all of them.
Add: TypeAlias = Callable[[Sequence[Document]], None]


class LangChainAdapter(StoreAdapter):
    """A vector store of LangChain's; this class itself stands for an unknown one.

    Attributes:
        vector_search: The name of the store's method that searches by a vector, with scores.
        vector_options: Arguments that this method needs to return scores.
        awaits_vectors: Whether the store has this method in an asynchronous form, too.
        further_arguments: Arguments of its searches that their signatures do not name.
        delete_options: Arguments that confine the store's ``delete`` to its own chunks.
    """

    vector_search: ClassVar[str] = "similarity_search_with_score_by_vector"
    vector_options: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    awaits_vectors: ClassVar[bool] = False
    further_arguments: ClassVar[Set[str]] = frozenset()
    delete_options: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    # Searching

    @property
    def is_dense(self) -> bool:
        """Returns whether the store ranks by the distance of vectors, and by nothing else."""
        return False

    # Writing and reading back

    def refuse_unless_writable(self) -> None:
        """Refuses a store that cannot be kept in step with its source.

        Raises:
            ConfigurationError: A write to the store would replace all that it holds.
        """

    def prepared(self, documents: Sequence[Document], vector: Vector) -> Sequence[Document]:
        """Returns documents in the form that the store takes.

        Args:
            documents: The documents to write.
            vector: One of their vectors.
        """
        return documents

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents, in place of those that have the same ids.

        Args:
            documents: The documents to write.
            present: The ids that may be in the store already.
            add: Adds documents to the store.
        """
        add(documents)
        if self.replaces_by_id or not present:
            return
        # An unknown store should replace by id. If it kept both, both are removed, and the
        # documents are added again.
        found = [str(document.id) for document in self._documents(sorted(present)) or ()]
        doubled = {key for key in found if found.count(key) > 1}
        if doubled:
            self._store.delete(sorted(doubled))
            add([document for document in documents if document.id in doubled])

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks, and leaves their texts and vectors as they are."""
        raise NotImplementedError

    def deletable(self, ids: Sequence[str]) -> list[str]:
        """Returns the ids that the store can delete without failing."""
        return list(ids)

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk] | None:
        """Returns the stored chunks with these ids, each row once; ``None`` if it cannot say."""
        found = self._documents(ids)
        if found is None:
            return None
        # An unknown store may return metadata in another form than it was written in.
        return [StoredChunk(str(one.id), one.page_content, None) for one in found]

    def _documents(self, ids: Sequence[str]) -> list[Document] | None:
        wanted = set(ids)
        try:
            found: list[Document] = self._store.get_by_ids(list(ids))
        except NotImplementedError:
            return None
        # A store may return other documents, too, which must not be replaced or removed.
        return [document for document in found if str(document.id) in wanted]
