"""Chunks as an index returns them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["StoredChunk"]


class StoredChunk(NamedTuple):
    """A chunk as an index holds it.

    Attributes:
        metadata: The metadata as it was written; ``None`` if the store may return another.
        vector: The vector, if it was asked for and the store returns it.
    """

    chunk_id: str
    text: str
    metadata: Mapping[str, Any] | None
    vector: list[float] | None = None
