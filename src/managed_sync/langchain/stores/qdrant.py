"""The adapter of LangChain's ``QdrantVectorStore``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain.stores.base import LangChainAdapter
from managed_sync.stores.qdrant import QdrantCollection, is_local, payload_key

__all__ = ["QdrantAdapter"]


class QdrantAdapter(QdrantCollection, LangChainAdapter):
    """A collection whose payloads have the text and the metadata under a key each."""

    classes = frozenset({("langchain_qdrant", "QdrantVectorStore")})
    harmless = frozenset({"filter", "search_params", "score_threshold", "consistency"})
    further_arguments = frozenset({"timeout", "shard_key_selector"})

    @property
    def is_dense(self) -> bool:
        """Returns whether the store searches dense vectors, and no sparse ones."""
        return bool(self._store.retrieval_mode == "dense")

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the stored chunks with these ids."""
        text, metadata = self._store.content_payload_key, self._store.metadata_payload_key
        return [
            StoredChunk(key, str(payload.get(text)), _mapping(payload.get(metadata)), vector)
            for key, payload, vector in self._points(ids, vectors=vectors)
        ]

    def update_metadata(self, documents: Sequence[Document]) -> None:
        """Replaces the metadata of chunks."""
        key = self._store.metadata_payload_key
        payloads = {str(document.id): {key: document.metadata} for document in documents}
        self._set_payloads(payloads, whole=False)

    @property
    def _client(self) -> Any:
        return self._store.client

    @property
    def _vector_name(self) -> str:
        name: str = self._store.vector_name
        return name

    @property
    def _prefix(self) -> str:
        return f"{payload_key(self._store.metadata_payload_key)}."

    def _equal_to(self, condition: MetadataCondition) -> Any:
        return self._with(condition)

    def _both(self, name: str, own: Any, further: Any) -> Any:
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency

        if name == "search_params":
            return own.model_copy(update={"exact": True})
        return models.Filter(must=[own, further]) if name == "filter" else None

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency

        kwargs: dict[str, Any] = {"filter": self._of_objects(object_ids)}
        if not is_local(self._client):
            kwargs["search_params"] = models.SearchParams(exact=True)
        return kwargs

    def _is_exhaustive(self, own: Mapping[str, Any], confined: bool) -> bool:
        asks_for_exact = bool(getattr(own.get("search_params"), "exact", False))
        return self.is_dense and (
            confined or asks_for_exact or is_local(self._client) or self._is_not_indexed()
        )


def _mapping(metadata: Any) -> Mapping[str, Any]:
    """Returns the metadata of a chunk, or none if a damaged one holds something else there."""
    return metadata if isinstance(metadata, Mapping) else {}
