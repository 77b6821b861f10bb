"""The shared part of the adapters of LangChain's two stores in PostgreSQL with pgvector.

Both stores replace by id, and write all of a call or, if it fails, nothing. Searches by an index of
vectors filter the few rows that the index has chosen, so they are not exhaustive.
"""

from __future__ import annotations

import json
from typing import Any

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.indexing.targets.vectors import Vector
from managed_sync.langchain.stores.base import LangChainAdapter
from managed_sync.stores.conditions import all_of

__all__ = ["IS_SEARCHED_EXHAUSTIVELY", "PostgresAdapter", "as_vector"]

# Any other index than PostgreSQL's own kinds is for approximate search; a partition or a view
# may hide one.
IS_SEARCHED_EXHAUSTIVELY = """
    SELECT relkind = 'r' AND NOT relhassubclass AND NOT EXISTS (
        SELECT FROM pg_index
        JOIN pg_class AS index ON index.oid = pg_index.indexrelid
        JOIN pg_am ON pg_am.oid = index.relam
        WHERE pg_index.indrelid = pg_class.oid
        AND pg_am.amname NOT IN ('btree', 'hash', 'gin', 'gist', 'spgist', 'brin')
    )
    FROM pg_class WHERE oid = to_regclass(:name)
"""


class PostgresAdapter(LangChainAdapter):
    """A table of PostgreSQL. It counts no chunks, since PostgreSQL would read the whole table."""

    harmless = frozenset({"filter"})
    awaits_vectors = True
    can_update_metadata = True
    replaces_by_id = True

    def _equal_to(self, condition: MetadataCondition) -> dict[str, Any]:
        return all_of([{name: {"$eq": value}} for name, value in condition.items()])

    def _both(self, name: str, own: Any, further: Any) -> Any:
        return all_of([own, further]) if name == "filter" else None

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        return {"filter": {self._object_field.name: {"$in": object_ids}}}


def as_vector(stored: Any = None) -> Vector | None:
    """Returns a vector from a driver: numbers, or text from a driver that lacks the type."""
    if stored is None:
        return None
    values = json.loads(stored) if isinstance(stored, str) else stored
    return [float(value) for value in values]
