"""The shared part of the adapters of LangChain's two stores in PostgreSQL with pgvector.

Both stores replace by id, and write all of a call or, if it fails, nothing.
"""

from __future__ import annotations

from managed_sync.langchain.stores.operators import OperatorFilters

__all__ = ["PostgresAdapter"]


class PostgresAdapter(OperatorFilters):
    """A table of PostgreSQL. It counts no chunks, since PostgreSQL would read the whole table."""

    harmless = frozenset({"filter"})
    awaits_vectors = True
    can_update_metadata = True
    replaces_by_id = True
