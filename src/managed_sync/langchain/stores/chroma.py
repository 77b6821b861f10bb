"""The adapter of LangChain's ``Chroma``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.langchain.stores.operators import OperatorFilters
from managed_sync.stores.chroma import ChromaCollection
from managed_sync.stores.conditions import all_of

__all__ = ["ChromaAdapter"]


class ChromaAdapter(ChromaCollection, OperatorFilters):
    """A collection of Chroma."""

    classes = frozenset({("langchain_chroma", "Chroma"), ("langchain_community", "Chroma")})
    harmless = frozenset({"filter"})
    further_arguments = frozenset({"ids"})
    is_dense = True
    # The "relevance scores" of this method are distances.
    vector_search = "similarity_search_by_vector_with_relevance_scores"

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        self._set_metadata({str(one.id): one.metadata for one in documents})

    def _equal_to(self, condition: MetadataCondition) -> dict[str, Any]:
        return all_of([{name: value} for name, value in condition.items()])
