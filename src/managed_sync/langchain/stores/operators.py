"""Filters with operators such as ``$in`` and ``$and``, which several stores understand."""

from __future__ import annotations

from typing import Any

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.langchain.stores.base import LangChainAdapter
from managed_sync.stores.conditions import all_of, each_equal

__all__ = ["OperatorFilters"]


class OperatorFilters(LangChainAdapter):
    """A store that is filtered by mappings with operators."""

    def _equal_to(self, condition: MetadataCondition) -> dict[str, Any]:
        return each_equal(condition)

    def _both(self, name: str, own: Any, further: Any) -> Any:
        return all_of([own, further]) if name == self.filter_argument else None

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {self.filter_argument: {self._object_field.name: {"$in": object_ids}}}
