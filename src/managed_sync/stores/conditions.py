"""Conditions in the form that Chroma and both classes for pgvector share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["all_of"]


def all_of(conditions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the condition that all of these hold; there must be one at least."""
    return conditions[0] if len(conditions) == 1 else {"$and": list(conditions)}
