"""Chunks as an index returns them, and where they are in their text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

__all__ = ["ChunkPlace", "StoredChunk"]


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


class ChunkPlace(NamedTuple):
    """The place of a chunk among those of its text.

    Several records may have the same object, and a record may have parts, such as attachments, each
    with chunks that are numbered from 0.

    Attributes:
        object_id: The object.
        chunk_index: The number of the chunk in its text.
        project_id: The project, to which chunks that name none belong as well.
        record_id: The chunk's ``record_id``, if other records may have the same object.
        part: The chunk's ``part``, if it has one.
    """

    object_id: str
    chunk_index: int
    project_id: str | None = None
    record_id: str | None = None
    part: str | None = None
