"""The adapter of LlamaIndex's ``ElasticsearchStore``.

The store understands only equality in LlamaIndex's filters, and ignores filters in its own language
beside them. So all filters are written in its own language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.vector_stores import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from managed_sync.documents.metadata_condition import is_metadata_condition
from managed_sync.effects import awaited
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index.stores.services.search_engine import SearchEngineAdapter
from managed_sync.stores.search_engine import whole_query

__all__ = ["ElasticsearchAdapter"]

_KWARGS = "vector_store_kwargs"
_FILTER = "es_filter"
_RANGES = {
    FilterOperator.GT: "gt",
    FilterOperator.GTE: "gte",
    FilterOperator.LT: "lt",
    FilterOperator.LTE: "lte",
}


class ElasticsearchAdapter(SearchEngineAdapter):
    """An index, which is created with the first write; its searches are approximate."""

    classes = frozenset({("llama_index.vector_stores.elasticsearch", "ElasticsearchStore")})
    filter_argument = _KWARGS

    def ready(self, arguments: Mapping[str, Any], limit: int) -> dict[str, Any]:
        """Returns the arguments of a search that looks at enough candidates, in all shards."""
        kwargs = dict(arguments.get(_KWARGS) or {})
        kwargs["custom_query"] = whole_query(kwargs.get("custom_query"))
        return {**arguments, _KWARGS: kwargs}

    def completed(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the caller's arguments, with LlamaIndex's filters in the store's language.

        Raises:
            ConfigurationError: The store has no such filter.
        """
        completed = dict(own)
        filters = completed.pop("filters", None)
        if filters is None:
            return completed
        # Beside LlamaIndex's filters, the store would ignore its own.
        kwargs = dict(completed.get(_KWARGS) or {})
        kwargs.pop(_FILTER, None)
        together = self._both(_KWARGS, kwargs, self.filter_of(filters))
        return {**completed, _KWARGS: together}

    def combined(self, own: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the arguments of a search that both confine."""
        return super().combined(self.completed(own), further)

    def filter_of(self, own: object) -> Any:
        """Returns the caller's filter in the store's language.

        Raises:
            ConfigurationError: The store has no such filter.
        """
        if is_metadata_condition(own):
            return {_FILTER: self._equal(own)}
        return {_FILTER: [self._query_for(super().filter_of(own))]}

    @property
    def _text_key(self) -> str:
        return str(self._store.text_field)

    @property
    def _vector_key(self) -> str:
        return str(self._store.vector_field)

    def _answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        kind = "x-ndjson" if isinstance(body, list) else "json"
        headers = {"accept": "application/json", "content-type": f"application/{kind}"}
        # In a running loop it works as in the store itself, which has made that possible.
        request = self._store.client.perform_request(method, path, headers=headers, body=body)
        answer: dict[str, Any] = awaited(request).body
        return answer

    def _both(self, name: str, own: Any, further: Any) -> Any:
        if name != _KWARGS:
            return None
        clauses = [*(own.get(_FILTER) or []), *(further.get(_FILTER) or [])]
        return {**own, **further, _FILTER: clauses}

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {_KWARGS: {_FILTER: [self._of_objects(object_ids)]}}

    def _query_for(self, filters: MetadataFilter | MetadataFilters) -> dict[str, Any]:
        if isinstance(filters, MetadataFilters):
            parts = [self._query_for(each) for each in filters.filters]
            if filters.condition == FilterCondition.OR:
                return {"bool": {"should": parts, "minimum_should_match": 1}}
            if filters.condition in {None, FilterCondition.AND}:
                return {"bool": {"filter": parts}}
            return {"bool": {"must_not": parts}}
        name, value, operator = filters.key, filters.value, filters.operator
        if operator in _RANGES:
            return {"range": {self._field(name).name: {_RANGES[operator]: value}}}
        given = value if isinstance(value, list) else [value]
        values = [each for each in given if isinstance(each, str | int) and type(each) is not bool]
        if len(values) < len(given):
            raise ConfigurationError(
                f"Elasticsearch compares {name} with texts and whole numbers, got {value!r}."
            )
        either = {
            "bool": {
                "should": [self._clause(name, each) for each in values],
                "minimum_should_match": 1,
            }
        }
        if operator in {FilterOperator.EQ, FilterOperator.IN}:
            return either if values else {"match_none": {}}
        if operator in {FilterOperator.NE, FilterOperator.NIN}:
            return {"bool": {"must_not": [self._clause(name, each) for each in values]}}
        raise ConfigurationError(
            f"ElasticsearchStore has no filter for the operator {operator.value!r}. Pass a query "
            f"in vector_store_kwargs={{'es_filter': [...]}}."
        )
