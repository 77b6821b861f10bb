"""The part that the adapters of Elasticsearch and OpenSearch have in common."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.documents import Document

from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.base import LangChainAdapter
from managed_sync.stores.search_engine import METADATA, SearchEngineIndex

__all__ = ["SearchEngineAdapter"]


class SearchEngineAdapter(SearchEngineIndex, LangChainAdapter):
    """An index, which the integration creates with the first write."""

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        return [
            StoredChunk(
                key, source.get(self._text_key) or "", source.get(METADATA), self._vector(source)
            )
            for key, source in self._sources(ids, "true")
        ]

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        self._replace_metadata({str(one.id): one.metadata for one in documents})
