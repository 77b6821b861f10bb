"""Conditions in the form that Chroma, pgvector, Pinecone and MongoDB share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from managed_sync.documents.metadata_condition import MetadataCondition

__all__ = ["all_of", "each_equal"]


def all_of(conditions: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the condition that all of these hold; there must be one at least."""
    return conditions[0] if len(conditions) == 1 else {"$and": list(conditions)}


def each_equal(condition: MetadataCondition) -> dict[str, Any]:
    """Returns the condition that metadata has these values."""
    return all_of([{name: {"$eq": value}} for name, value in condition.items()])
