"""The adapter of LangChain's ``FAISS``: an index of vectors, and a docstore with documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.metadata_condition import MetadataCondition, meets
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.base import Add, LangChainAdapter

__all__ = ["FaissAdapter"]

# These of FAISS's indexes compare a question with every chunk.
_FLAT_INDEXES = {"IndexFlat", "IndexFlatIP", "IndexFlatL2"}


class FaissAdapter(LangChainAdapter):
    """An index of FAISS."""

    classes = frozenset({("langchain_community", "FAISS")})
    max_objects = None
    harmless = frozenset({"filter", "fetch_k", "score_threshold"})
    further_arguments = frozenset({"score_threshold"})
    awaits_vectors = True
    can_update_metadata = True
    is_dense = True

    @property
    def exact(self) -> bool:
        """Returns whether the index compares a question with every chunk."""
        return type(self._store.index).__name__ in _FLAT_INDEXES

    def completed(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the caller's arguments, and ``fetch_k`` if there is a filter among them."""
        if own.get("filter") is None:
            return dict(own)
        return {"fetch_k": max(1, self.chunk_count()), **own}

    def chunk_count(self, object_ids: list[str] | None = None) -> int:
        """Returns the number of chunks, of all objects or of these."""
        if object_ids is None:
            return int(self._store.index.ntotal)
        wanted = frozenset(object_ids)
        documents = map(self._store.docstore.search, self._store.index_to_docstore_id.values())
        return sum(
            self._named_object(getattr(each, "metadata", {})) in wanted for each in documents
        )

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents, in place of those that have the same ids.

        FAISS refuses an id that it has. So the old chunks get other ids, and are removed once the
        new ones are there.
        """
        self._fill_docstore(present)
        aside = self._rename({key: f"replaced:{key}" for key in present})
        try:
            add(documents)
        except BaseException:
            self._drop_vectors_without_id()
            if not self.existing_ids([str(document.id) for document in documents]):
                self._rename({new: new.removeprefix("replaced:") for new in aside})
                raise
            # It failed after it had written.
            self._discard(aside)
            raise
        self._discard(aside)

    def dimensions(self) -> int | None:
        """Returns the length of the vectors."""
        dimensions: int = self._store.index.d
        return dimensions

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        wanted, found = set(ids), []
        for row, key in self._store.index_to_docstore_id.items():
            document = self._store.docstore.search(key) if key in wanted else None
            if isinstance(document, Document):
                vector = self._store.index.reconstruct(row).tolist() if vectors else None
                found.append(StoredChunk(key, document.page_content, document.metadata, vector))
        return found

    def existing_ids(self, ids: Sequence[str]) -> Set[str]:
        """Returns the ids that have a vector."""
        return set(ids) & set(self._store.index_to_docstore_id.values())

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the chunks with this metadata."""
        for key in self._store.index_to_docstore_id.values():
            document = self._store.docstore.search(key)
            if isinstance(document, Document) and metadata.items() <= document.metadata.items():
                yield key

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        chunks = {str(document.id): document for document in documents}
        self._fill_docstore(chunks.keys())
        self._store.docstore.delete(list(chunks))
        self._store.docstore.add(chunks)

    def deletable(self, ids: Sequence[str]) -> list[str]:
        """Returns the ids that are there; FAISS refuses to delete others."""
        existing = self.existing_ids(ids)
        self._fill_docstore(existing)
        return sorted(existing)

    def _takes_name(self, name: str) -> bool:
        return True

    def _equal_to(self, condition: MetadataCondition) -> Callable[[dict[str, Any]], bool]:
        return lambda metadata: meets(metadata, condition)

    def _both(self, name: str, own: Any, further: Any) -> Any:
        if name == "fetch_k":
            return max(own, further)
        if name != "filter":
            return None
        # The store's own filters may be mappings in a language of its own.
        holds = [self._store._create_filter_func(each) for each in (further, own)]  # noqa: SLF001 - private in langchain-community 0.4
        return lambda metadata: all(each(metadata) for each in holds)

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        wanted = frozenset(object_ids)

        def is_wanted(metadata: dict[str, Any]) -> bool:
            return self._named_object(metadata) in wanted

        # The store filters the best fetch_k chunks only; nothing less than all of them will do.
        return {"filter": is_wanted, "fetch_k": max(1, self.chunk_count())}

    def _is_exhaustive(self, own: Mapping[str, Any], confined: bool) -> bool:
        filters_some = own.get("filter") is not None and "fetch_k" in own
        return self.exact and not (filters_some and own["fetch_k"] < self.chunk_count())

    def _fill_docstore(self, ids: Set[str]) -> None:
        """Gives a document, without an object, to vectors that have lost theirs.

        The docstore would refuse to replace or to remove them.
        """
        docstore = self._store.docstore
        empty = {
            key: Document("", id=key)
            for key in self.existing_ids(sorted(ids))
            if not isinstance(docstore.search(key), Document)
        }
        if empty:
            docstore.add(empty)

    def _discard(self, ids: Set[str]) -> None:
        if ids:
            self._store.delete(sorted(ids))

    def _rename(self, names: Mapping[str, str]) -> set[str]:
        """Gives chunks other ids; returns the new ones of those that are there."""
        id_of, docstore = self._store.index_to_docstore_id, self._store.docstore
        renamed = {row: names[key] for row, key in id_of.items() if key in names}
        if not renamed:  # which the docstore would refuse
            return set()
        documents = {names[id_of[row]]: docstore.search(id_of[row]) for row in renamed}
        docstore.delete([id_of[row] for row in renamed])
        docstore.add(documents)
        id_of.update(renamed)
        return set(documents)

    def _drop_vectors_without_id(self) -> None:
        """Removes vectors that a failed call added without an id; they would shift the others."""
        import numpy as np  # noqa: PLC0415 - comes with FAISS

        index, known = self._store.index, len(self._store.index_to_docstore_id)
        if index.ntotal > known:
            index.remove_ids(np.arange(known, index.ntotal, dtype=np.int64))
