"""What both frameworks' targets ask of a collection of Qdrant beyond what the frameworks offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from managed_sync.indexing.targets.vectors import Vector

__all__ = ["QdrantCollection"]

_POINTS_AT_ONCE = 1_000


class QdrantCollection:
    """A collection that may not be there yet.

    Args:
        client: Of ``qdrant_client``.
        name: The collection's.
        vector_name: What the vectors are called that are searched; empty if they have no name.
    """

    def __init__(self, client: Any, name: str, *, vector_name: str = "") -> None:
        self._client = client
        self._name = name
        self._vector_name = vector_name

    @property
    def exists(self) -> bool:
        """Whether anything was ever written."""
        return bool(self._client.collection_exists(self._name))

    def held(self, ids: Sequence[str]) -> set[str]:
        """Those of some points that are there."""
        if not self.exists:
            return set()
        points = self._client.retrieve(
            self._name, list(ids), with_payload=False, with_vectors=False
        )
        return {str(point.id) for point in points}

    def points(
        self, ids: Sequence[str], *, vectors: bool = False
    ) -> Iterator[tuple[str, Mapping[str, Any], Vector | None]]:
        """Those of some points that are there, with what belongs to them."""
        if not self.exists:
            return
        found = self._client.retrieve(
            self._name, list(ids), with_payload=True, with_vectors=vectors
        )
        for point in found:
            vector = point.vector
            if isinstance(vector, Mapping):
                vector = vector.get(self._vector_name)
            yield str(point.id), point.payload or {}, vector

    def dimensions(self) -> int | None:
        """How long the vectors are, once there is a collection."""
        if not self.exists:
            return None
        vectors = self._client.get_collection(self._name).config.params.vectors
        if isinstance(vectors, Mapping):
            vectors = vectors.get(self._vector_name)
        return getattr(vectors, "size", None)

    def set_payloads(self, payloads: Mapping[str, Mapping[str, Any]], *, whole: bool) -> None:
        """Changes what belongs to points beside their vectors.

        Args:
            payloads: By the points' ids.
            whole: Whether they replace all that was there, or the keys that they have.
        """
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency

        operations: list[Any] = []
        for point_id, payload in payloads.items():
            change = models.SetPayload(payload=dict(payload), points=[point_id])
            operations.append(
                models.OverwritePayloadOperation(overwrite_payload=change)
                if whole
                else models.SetPayloadOperation(set_payload=change)
            )
        self._client.batch_update_points(self._name, operations, wait=True)

    def ids(self, metadata: Mapping[str, str], *, below: str = "") -> Iterator[str]:
        """The points that have this metadata.

        Args:
            metadata: Keys with their values.
            below: What stands before the keys.
        """
        if not self.exists:
            return
        offset = None
        while True:
            points, offset = self._client.scroll(
                self._name,
                scroll_filter=_having(metadata, below),
                limit=_POINTS_AT_ONCE,
                offset=offset,
                with_payload=False,
                with_vectors=False,
            )
            yield from (str(point.id) for point in points)
            if offset is None:
                return

    def count(self, metadata: Mapping[str, str], *, below: str = "") -> int:
        """How many points have this metadata."""
        if not self.exists:
            return 0
        condition = _having(metadata, below)
        return int(self._client.count(self._name, count_filter=condition, exact=True).count)


def _having(metadata: Mapping[str, str], below: str) -> Any:
    from qdrant_client import models  # noqa: PLC0415 - an optional dependency

    return models.Filter(
        must=[
            models.FieldCondition(key=f"{below}{key}", match=models.MatchValue(value=value))
            for key, value in metadata.items()
        ]
    )
