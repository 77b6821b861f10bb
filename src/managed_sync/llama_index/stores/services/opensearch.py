"""The adapter of LlamaIndex's ``OpensearchVectorStore``.

The store writes LlamaIndex's filters for metadata that OpenSearch has mapped by itself. It decides
by its engine whether a filtered search is approximate, so no search counts as exhaustive.
"""

from __future__ import annotations

from typing import Any

from managed_sync.llama_index.stores.services.search_engine import SearchEngineAdapter
from managed_sync.stores.base import NotFilterableError
from managed_sync.stores.search_engine import METADATA

__all__ = ["OpenSearchAdapter"]


class OpenSearchAdapter(SearchEngineAdapter):
    """An index, which the integration creates when it is first used."""

    classes = frozenset({("llama_index.vector_stores.opensearch", "OpensearchVectorStore")})
    nests_filters = True

    @property
    def _wrapped(self) -> Any:
        return self._store.client

    @property
    def _index_name(self) -> str:
        return str(self._wrapped._index)  # noqa: SLF001 - private in llama-index-vector-stores-opensearch 1.3

    @property
    def _text_key(self) -> str:
        return str(self._wrapped._text_field)  # noqa: SLF001 - private in llama-index-vector-stores-opensearch 1.3

    @property
    def _vector_key(self) -> str:
        return str(self._wrapped._embedding_field)  # noqa: SLF001 - private in llama-index-vector-stores-opensearch 1.3

    def _answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        transport = self._wrapped._os_client.transport  # noqa: SLF001 - private in llama-index-vector-stores-opensearch 1.3
        if isinstance(body, list):
            body = "".join(f"{transport.serializer.dumps(line)}\n" for line in body)
        answer: dict[str, Any] = transport.perform_request(method, path, body=body)
        return answer

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        field = self._object_field.name
        expected = f"{METADATA}.{field}.keyword"
        if (name := self._field(field).name) != expected:
            raise NotFilterableError(
                f"OpensearchVectorStore filters by {expected}, but the index "
                f"{self._index_name!r} has {name}. Leave {METADATA} out of its mapping."
            )
        return super()._confined_to(object_ids)
