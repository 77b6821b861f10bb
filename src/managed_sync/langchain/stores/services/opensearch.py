"""The adapter of LangChain's ``OpenSearchVectorSearch``.

With its default engine, the store filters the few hits that an approximate search has found. So
filtered searches are scored by a script instead, which compares the question with every chunk that
the filter leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from langchain_core.documents import Document

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.errors import ConfigurationError
from managed_sync.langchain.stores.base import Add
from managed_sync.langchain.stores.services.search_engine import SearchEngineAdapter

__all__ = ["OpenSearchAdapter"]

_EXHAUSTIVE = {"search_type": "script_scoring"}
# The store ignores these where a script scores.
_FILTERS_OF_OTHER_SEARCHES = frozenset(
    {"filter", "boolean_filter", "efficient_filter", "lucene_filter", "post_filter"}
)


class OpenSearchAdapter(SearchEngineAdapter):
    """An index, which the integration creates with the first write."""

    classes = frozenset({("langchain_community", "OpenSearchVectorSearch")})
    filter_argument = "pre_filter"
    harmless = frozenset({"pre_filter", "search_type", "space_type"})
    further_arguments = frozenset(
        {"pre_filter", "search_type", "space_type", "subquery_clause", "index_name"}
        | {"vector_field", "text_field", "metadata_field", *_FILTERS_OF_OTHER_SEARCHES}
    )
    vector_search = "similarity_search_with_score_by_vector"
    is_dense = True

    @property
    def exact(self) -> bool:
        """Returns whether all shards answer, which are scored then."""
        found = self._ask("POST", f"/{self._index_name}/_count")
        return found is not None and not found["_shards"]["failed"]

    def completed(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the caller's arguments, with the search that the filter among them is for."""
        if own.get("pre_filter") is None:
            return dict(own)
        return {**self._exhaustive(), **own}

    def combined(self, own: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the arguments of a search that both confine."""
        is_other = own.get("search_type", "script_scoring") != "script_scoring"
        if is_other or not _FILTERS_OF_OTHER_SEARCHES.isdisjoint(own):
            return None
        return super().combined(own, further)

    def refuse_unless_writable(self) -> None:
        """Refuses a serverless collection, which makes ids of its own.

        Raises:
            ConfigurationError: It is one.
        """
        if self._store.is_aoss:
            raise ConfigurationError(
                "OpenSearch Serverless gives chunks other ids, so they could not be replaced. Use "
                "a domain of OpenSearch."
            )

    def write(self, documents: Sequence[Document], present: Set[str], add: Add) -> None:
        """Adds documents, as many at a time as the store takes."""
        size: int = self._store.bulk_size
        for start in range(0, len(documents), size):
            add(documents[start : start + size])

    @property
    def _text_key(self) -> str:
        return "text"

    @property
    def _vector_key(self) -> str:
        return "vector_field"

    def _answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        transport = self._store.client.transport
        if isinstance(body, list):
            body = "".join(f"{transport.serializer.dumps(line)}\n" for line in body)
        answer: dict[str, Any] = transport.perform_request(method, path, body=body)
        return answer

    def _exhaustive(self) -> dict[str, Any]:
        method = (self._properties().get(self._vector_key) or {}).get("method") or {}
        return {**_EXHAUSTIVE, "space_type": method.get("space_type", "l2")}

    def _equal_to(self, condition: MetadataCondition) -> dict[str, Any]:
        return {"bool": {"filter": self._equal(condition)}}

    def _both(self, name: str, own: Any, further: Any) -> Any:
        if name in {"search_type", "space_type"}:
            return own
        return {"bool": {"filter": [own, further]}} if name == "pre_filter" else None

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"pre_filter": self._of_objects(object_ids), **self._exhaustive()}

    def _is_exhaustive(self, own: Mapping[str, Any], confined: bool) -> bool:
        is_scored = own.get("search_type", "script_scoring") == "script_scoring"
        filtered = confined or own.get("pre_filter") is not None or "search_type" in own
        return is_scored and filtered and self.exact
