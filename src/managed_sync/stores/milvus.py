"""A collection of Milvus, for the adapters of both frameworks.

Milvus inserts a second row with an id that it has, so chunks are written with ``upsert``. Its
filters are expressions, whose texts have few escapes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.errors import ConfigurationError
from managed_sync.stores.base import StoreAdapter

__all__ = ["MilvusCollection"]

# These indexes compare a question with every vector.
_FLAT_INDEXES = frozenset({"FLAT", "GPU_BRUTE_FORCE"})
# A search with one of these returns fewer than the nearest chunks.
_LIMITS_OF_SEARCHES = frozenset({"radius", "range_filter", "group_by_field"})
_COUNT = "count(*)"
# Servers and Milvus Lite take all other letters as they are, and not every escape of the others.
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r"})
_ROWS_AT_ONCE = 1_000
# Reads wait for all writes, also for those of other processes.
_UP_TO_DATE = {"consistency_level": "Strong"}


class MilvusCollection(StoreAdapter):
    """A collection. Subclasses say where a framework's store keeps its fields."""

    can_update_metadata = True
    replaces_by_id = True

    @property
    def exact(self) -> bool:
        """Returns whether the index of the vectors is a flat one, which compares all of them."""
        if not self._exists or _limits_search(self._search_parameters):
            return False
        names = self._client.list_indexes(self._name, field_name=self._vector_key)
        indexes = [self._client.describe_index(self._name, name) or {} for name in names]
        return bool(indexes) and all(each.get("index_type") in _FLAT_INDEXES for each in indexes)

    def chunk_count(self, object_ids: list[str] | None = None) -> int | None:
        """Returns the number of chunks, of all objects or of these, once there is a collection."""
        if not self._exists:
            return None
        return self._counted("" if object_ids is None else self._of_objects(object_ids))

    def dimensions(self) -> int | None:
        """Returns the length of the vectors, once there is a collection."""
        if not self._exists:
            return None
        fields = self._client.describe_collection(self._name)["fields"]
        sizes = [each["params"].get("dim") for each in fields if each["name"] == self._vector_key]
        return int(sizes[0]) if sizes and sizes[0] else None

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Returns the ids that are in the collection."""
        return {str(row[self._key]) for row in self._rows(ids, [self._key])}

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns the ids of the chunks with this metadata."""
        if not self._exists:
            return
        rows = self._client.query_iterator(
            self._name,
            filter=self._equal(metadata),
            output_fields=[self._key],
            batch_size=_ROWS_AT_ONCE,
            **_UP_TO_DATE,
        )
        try:
            while found := rows.next():
                yield from (str(row[self._key]) for row in found)
        finally:
            rows.close()

    def count(self, metadata: Mapping[str, str]) -> int:
        """Returns the number of chunks with this metadata."""
        return self._counted(self._equal(metadata)) if self._exists else 0

    @property
    def _client(self) -> Any:
        return self._store.client

    @property
    def _name(self) -> str:
        name: str = self._store.collection_name
        return name

    @property
    def _exists(self) -> bool:
        return bool(self._client.has_collection(self._name))

    @property
    def _key(self) -> str:
        """The name of the field with the ids."""
        raise NotImplementedError

    @property
    def _vector_key(self) -> str:
        """The name of the field with the vectors that are searched."""
        raise NotImplementedError

    @property
    def _search_parameters(self) -> Any:
        """The parameters of the store's own searches."""
        raise NotImplementedError

    def _rows(self, ids: Sequence[str], fields: Sequence[str] = ("*",)) -> list[dict[str, Any]]:
        """Returns those rows that are there."""
        if not ids or not self._exists:
            return []
        found = self._client.get(
            self._name, ids=list(ids), output_fields=list(fields), **_UP_TO_DATE
        )
        return [dict(row) for row in found]

    def _replace_metadata(
        self,
        fields: Mapping[str, Mapping[str, Any]],
        kept: Iterable[str],
        *,
        if_stale: bool = False,
    ) -> None:
        """Replaces the rows of chunks, by their ids.

        Args:
            fields: The new fields.
            kept: The fields that stay as they are, besides the ids and the vectors.
            if_stale: Whether to replace only rows that have further fields.
        """
        names = [self._key, self._vector_key, *kept]
        changed = []
        for row in self._rows(list(fields)):
            unchanged = {name: row.pop(name) for name in names}
            new = fields[str(unchanged[self._key])]
            stale = {name for name, value in row.items() if value is not None} - new.keys()
            if stale or not if_stale:
                # Milvus Lite keeps the fields that an upsert does not name.
                changed.append({**dict.fromkeys(stale), **new, **unchanged})
        if changed:
            self._client.upsert(self._name, changed)

    def _counted(self, expression: str) -> int:
        found = self._client.query(
            self._name, filter=expression, output_fields=[_COUNT], **_UP_TO_DATE
        )
        return int(found[0][_COUNT])

    def _of_objects(self, object_ids: Sequence[str]) -> str:
        return f"{self._object_field.name} in {_literal(list(object_ids))}"

    def _equal(self, condition: MetadataCondition) -> str:
        """Returns an expression for chunks with these values.

        Raises:
            ConfigurationError: Expressions cannot have one of the names.
        """
        if odd := [name for name in condition if not self._takes_name(name)]:
            raise ConfigurationError(f"Milvus cannot filter by the metadata {', '.join(odd)}.")
        return " and ".join(f"{name} == {_literal(value)}" for name, value in condition.items())


def _literal(value: str | int | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return str(value) if isinstance(value, int) else f'"{value.translate(_ESCAPES)}"'


def _limits_search(parameters: Any) -> bool:
    """Returns whether parameters of searches, or those within them, limit their results."""
    if isinstance(parameters, list | tuple):
        return any(map(_limits_search, parameters))
    if not isinstance(parameters, Mapping):
        return False
    within = (value for value in parameters.values() if isinstance(value, Mapping))
    return not _LIMITS_OF_SEARCHES.isdisjoint(parameters) or any(map(_limits_search, within))
