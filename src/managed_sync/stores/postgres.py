"""Properties of tables in PostgreSQL with pgvector, for the adapters of both frameworks.

Searches by an index of vectors filter the few rows that the index has chosen, so they are not
exhaustive.
"""

from __future__ import annotations

import json
from typing import Any

from managed_sync.documents.vectors import Vector

__all__ = ["IS_SEARCHED_EXHAUSTIVELY", "as_vector"]

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


def as_vector(stored: Any = None) -> Vector | None:
    """Returns a vector from a driver: numbers, or text from a driver that lacks the type."""
    if stored is None:
        return None
    values = json.loads(stored) if isinstance(stored, str) else stored
    return [float(value) for value in values]
