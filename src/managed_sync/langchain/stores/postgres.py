"""The shared part of the adapters of LangChain's two stores in PostgreSQL with pgvector.

Both stores replace by id, and write all of a call or, if it fails, nothing.
"""

from __future__ import annotations

from typing import Any

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.langchain.stores.base import LangChainAdapter
from managed_sync.stores.conditions import all_of, each_equal

__all__ = ["PostgresAdapter"]


class PostgresAdapter(LangChainAdapter):
    """A table of PostgreSQL. It counts no chunks, since PostgreSQL would read the whole table."""

    harmless = frozenset({"filter"})
    awaits_vectors = True
    can_update_metadata = True
    replaces_by_id = True

    def _equal_to(self, condition: MetadataCondition) -> dict[str, Any]:
        return each_equal(condition)

    def _both(self, name: str, own: Any, further: Any) -> Any:
        return all_of([own, further]) if name == "filter" else None

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"filter": {self._object_field.name: {"$in": object_ids}}}
