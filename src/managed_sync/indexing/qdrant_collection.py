"""What both frameworks' targets ask of a collection of Qdrant beyond what the frameworks offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

__all__ = ["QdrantCollection"]

_POINTS_AT_ONCE = 1_000


class QdrantCollection:
    """A collection that may not be there yet.

    Args:
        client: Of ``qdrant_client``.
        name: The collection's.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

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
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency

        if not self.exists:
            return
        conditions = [
            models.FieldCondition(key=f"{below}{key}", match=models.MatchValue(value=value))
            for key, value in metadata.items()
        ]
        offset = None
        while True:
            points, offset = self._client.scroll(
                self._name,
                scroll_filter=models.Filter(must=conditions),
                limit=_POINTS_AT_ONCE,
                offset=offset,
                with_payload=False,
                with_vectors=False,
            )
            yield from (str(point.id) for point in points)
            if offset is None:
                return
