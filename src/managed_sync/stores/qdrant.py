"""A collection of Qdrant, for the adapters of both frameworks.

Guarantees:

- A filter by metadata compares the field of that name, and none inside or beside it: Qdrant would
  read a name with a dot or a bracket as a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from managed_sync.documents.vectors import Vector
from managed_sync.errors import ConfigurationError
from managed_sync.stores.base import StoreAdapter

__all__ = ["QdrantCollection", "is_local", "payload_key"]

_POINTS_AT_ONCE = 1_000
# Qdrant reads nothing in them, neither in process nor on a server.
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_LOCAL_CLIENTS = frozenset({"QdrantLocal", "AsyncQdrantLocal"})


class QdrantCollection(StoreAdapter):
    """A collection, which Qdrant's integrations create with the first write.

    Subclasses say where a framework's store keeps the client and its data.
    """

    can_update_metadata = True
    replaces_by_id = True
    # A narrow filter leaves gaps in a server's graph, so filtered searches are exhaustive ones.
    exact = True

    @property
    def _client(self) -> Any:
        """The synchronous client; ``None`` where the store has only an asynchronous one."""
        raise NotImplementedError

    @property
    def _vector_name(self) -> str:
        """The name of the vectors that are searched; empty if they have none."""
        raise NotImplementedError

    @property
    def _prefix(self) -> str:
        """The part of a metadata key before its name."""
        return ""

    @property
    def _exists(self) -> bool:
        return bool(self._client.collection_exists(self._name))

    @property
    def _name(self) -> str:
        name: str = self._store.collection_name
        return name

    def chunk_count(self, object_ids: list[str] | None = None) -> int | None:
        """Returns the number of points, of all objects or of these."""
        if self._client is None:
            return None
        among = None if object_ids is None else self._of_objects(object_ids)
        return int(self._client.count(self._name, count_filter=among, exact=True).count)

    def dimensions(self) -> int | None:
        """Returns the length of the vectors, once there is a collection."""
        if not self._exists:
            return None
        vectors = self._client.get_collection(self._name).config.params.vectors
        if isinstance(vectors, Mapping):
            vectors = vectors.get(self._vector_name)
        return getattr(vectors, "size", None)

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Returns the ids of those points that are there."""
        if not self._exists:
            return set()
        points = self._client.retrieve(
            self._name, list(ids), with_payload=False, with_vectors=False
        )
        return {str(point.id) for point in points}

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the points with this metadata."""
        if not self._exists:
            return
        offset = None
        while True:
            points, offset = self._client.scroll(
                self._name,
                scroll_filter=self._with(metadata),
                limit=_POINTS_AT_ONCE,
                offset=offset,
                with_payload=False,
                with_vectors=False,
            )
            yield from (str(point.id) for point in points)
            if offset is None:
                return

    def count(self, metadata: Mapping[str, str]) -> int:
        """Returns the number of points with this metadata."""
        if not self._exists:
            return 0
        condition = self._with(metadata)
        return int(self._client.count(self._name, count_filter=condition, exact=True).count)

    def _points(
        self, ids: Sequence[str], *, vectors: bool
    ) -> Iterator[tuple[str, Mapping[str, Any], Vector | None]]:
        """Returns id, payload and vector of those points that are there."""
        if not self._exists:
            return
        found = self._client.retrieve(
            self._name, list(ids), with_payload=True, with_vectors=vectors
        )
        for point in found:
            vector = point.vector
            if isinstance(vector, Mapping):
                vector = vector.get(self._vector_name)
            yield str(point.id), point.payload or {}, vector

    def _set_payloads(self, payloads: Mapping[str, Mapping[str, Any]], *, whole: bool) -> None:
        """Changes the payloads of points.

        Args:
            payloads: By the points' ids.
            whole: Whether they replace the whole payload, or only the keys that they have.
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

    def _is_not_indexed(self) -> bool:
        """Returns whether all searches are exhaustive because the server has no graph yet.

        A server makes its graph only once a collection has grown to some size.
        """
        if self._client is None:
            return False
        collection = self._client.get_collection(self._name)
        is_quantized = collection.config.quantization_config is not None
        return not collection.indexed_vectors_count and not is_quantized

    def _of_objects(self, object_ids: Sequence[str]) -> Any:
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency

        return self._must({self._object_field.name: models.MatchAny(any=list(object_ids))})

    def _with(self, metadata: Mapping[str, str | int]) -> Any:
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency

        return self._must({key: models.MatchValue(value=value) for key, value in metadata.items()})

    def _must(self, matches: Mapping[str, Any]) -> Any:
        from qdrant_client import models  # noqa: PLC0415 - an optional dependency

        return models.Filter(
            must=[
                models.FieldCondition(key=f"{self._prefix}{payload_key(key)}", match=match)
                for key, match in matches.items()
            ]
        )


def payload_key(name: str) -> str:
    """Returns the path of a payload's field, quoted if Qdrant would read something in its name.

    Raises:
        ConfigurationError: Quotes cannot hold the name.
    """
    if _PLAIN.fullmatch(name):
        return name
    if not name or '"' in name or "\\" in name:
        raise ConfigurationError(f"Qdrant cannot filter by the metadata {name!r}.")
    return f'"{name}"'


def is_local(client: Any) -> bool:
    """Returns whether a client is in Qdrant's local mode, where every search is exhaustive."""
    # Private in qdrant-client 1.20.
    return type(getattr(client, "_client", None)).__name__ in _LOCAL_CLIENTS
