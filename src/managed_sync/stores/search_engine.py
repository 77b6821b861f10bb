"""An index of Elasticsearch or OpenSearch, for the adapters of both frameworks.

Both answer the same requests. They map metadata when it is first written: a text becomes words, and
a keyword if it is not too long. Filters need the keyword. See
``docs/decisions/0048-stores-tested-for-real.md``.

Guarantees:

- Text that the index keeps only as words is never filtered by words, and one that it keeps under
  another name than usual is found under that name.
- A field that the index does not keep for filters is never filtered by, and a filter by one that
  no mapping shows does not count as exact while there are chunks.
- If a shard does not answer, a request fails, or what it says does not count as exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.documents.vectors import Vector
from managed_sync.errors import ConfigurationError
from managed_sync.retrieval.effects import Inspect, Reach
from managed_sync.stores.base import NotFilterableError, StoreAdapter

__all__ = ["METADATA", "SearchEngineIndex", "whole_query"]

METADATA = "metadata"
_CHUNK_ID = "chunk_id"
# The most candidates that Elasticsearch takes.
_MOST_CANDIDATES = 10_000
_ROWS_AT_ONCE = 1_000
_KEYWORDS = frozenset({"keyword", "constant_keyword", "wildcard"})
_FLAT_OBJECTS = frozenset({"flattened", "flat_object"})
_NUMBERS = frozenset(
    {"long", "integer", "short", "byte", "unsigned_long", "double", "float", "half_float"}
)
# Mapping of a text that was never declared.
_DEFAULT_KEYWORD = ".keyword"
_NOTHING: dict[str, Any] = {"match_none": {}}
_REPLACE_METADATA = f"ctx._source.{METADATA} = params.{METADATA}"


class _Field(NamedTuple):
    """A field that a filter can compare with whole values."""

    name: str
    is_number: bool
    longest: int | None
    is_mapped: bool = True


class SearchEngineIndex(StoreAdapter):
    """An index. Subclasses say how a framework's store sends requests, and the names of fields."""

    can_update_metadata = True
    replaces_by_id = True

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._fields: dict[str, _Field] = {}

    def reach(self, step: Inspect, own: Mapping[str, Any]) -> Reach:
        """Returns how far searches with the caller's arguments reach."""
        return super().reach(step, own) if self._finds_all(step.objects or ()) else Reach()

    def chunk_count(self, object_ids: list[str] | None = None) -> int | None:
        """Returns the number of chunks, of all objects or of these; ``None`` without an index."""
        return self._counted(None if object_ids is None else self._of_objects(object_ids))

    def dimensions(self) -> int | None:
        """Returns the length of the vectors, once there is an index."""
        mapped = self._properties().get(self._vector_key) or {}
        return mapped.get("dims") or mapped.get("dimension")

    def existing_ids(self, ids: Sequence[str]) -> set[str]:
        """Returns the ids that are in the index."""
        return {key for key, _ in self._sources(ids, "false")}

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """Returns the ids of the chunks with this metadata; ``None`` if one cannot be filtered."""
        try:
            return self._listed(
                {
                    "query": {"bool": {"filter": self._equal(metadata)}},
                    "size": _ROWS_AT_ONCE,
                    "sort": [{self._field(_CHUNK_ID).name: "asc"}],
                    "_source": False,
                }
            )
        except NotFilterableError:
            return None

    def _listed(self, search: dict[str, Any]) -> Iterator[str]:
        while True:
            path = f"/{self._index_name}/_search?allow_partial_search_results=false"
            found = (self._ask("POST", path, search) or {"hits": {"hits": []}})["hits"]["hits"]
            yield from (str(hit["_id"]) for hit in found)
            if len(found) < _ROWS_AT_ONCE:
                return
            search["search_after"] = found[-1]["sort"]

    def count(self, metadata: Mapping[str, str]) -> int | None:
        """Returns the number of chunks with this metadata; ``None`` if the index cannot say."""
        try:
            return self._counted({"bool": {"filter": self._equal(metadata)}})
        except NotFilterableError:
            return None

    @property
    def _index_name(self) -> str:
        """The name of the index."""
        name: str = self._store.index_name
        return name

    @property
    def _text_key(self) -> str:
        """The name of the field with the texts."""
        raise NotImplementedError

    @property
    def _vector_key(self) -> str:
        """The name of the field with the vectors."""
        raise NotImplementedError

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any] | None:
        """Returns the answer to a request; ``None`` if there is no such index."""
        try:
            return self._answer(method, path, body)
        except Exception as error:
            # Both clients' errors have it, and neither is imported here.
            if getattr(error, "status_code", None) == 404:
                return None
            raise

    def _answer(self, method: str, path: str, body: Any) -> dict[str, Any]:
        """Returns the answer to a request.

        Args:
            method: The method of HTTP.
            path: The path.
            body: An object, or a list of objects that are written as lines.
        """
        raise NotImplementedError

    def _replace_metadata(self, metadata: Mapping[str, Mapping[str, Any]]) -> None:
        """Replaces the metadata of chunks, by their ids."""
        lines: list[dict[str, Any]] = []
        for key, values in metadata.items():
            lines.append({"update": {"_id": key}})
            script = {"source": _REPLACE_METADATA, "params": {METADATA: dict(values)}}
            lines.append({"script": script})
        answer = self._answer("POST", f"/{self._index_name}/_bulk?refresh=true", lines)
        failed = [each["update"] for each in answer["items"] if "error" in each["update"]]
        # A chunk that is gone meanwhile has no metadata to replace.
        if lost := [each for each in failed if each.get("status") != 404]:
            raise RuntimeError(f"{len(lost)} chunks were not updated: {lost[0]['error']}")

    def _sources(self, ids: Sequence[str], parts: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Returns id and source of those chunks that are there."""
        if not ids:
            return
        path = f"/{self._index_name}/_mget?_source={parts}"
        for each in (self._ask("POST", path, {"ids": list(ids)}) or {"docs": []})["docs"]:
            if each.get("found"):
                yield str(each["_id"]), each.get("_source") or {}

    def _vector(self, source: Mapping[str, Any]) -> Vector | None:
        stored = source.get(self._vector_key)
        return None if stored is None else [float(value) for value in stored]

    def _counted(self, query: dict[str, Any] | None) -> int | None:
        body = None if query is None else {"query": query}
        found = self._ask("POST", f"/{self._index_name}/_count", body)
        return None if found is None or found["_shards"]["failed"] else int(found["count"])

    def _of_objects(self, object_ids: Sequence[str]) -> dict[str, Any]:
        return {"terms": {self._field(self._object_field.name).name: list(object_ids)}}

    def _equal(self, condition: MetadataCondition) -> list[dict[str, Any]]:
        """Returns clauses that hold for chunks with these values.

        Raises:
            ConfigurationError: A value is too long for the index to have a keyword for it.
        """
        return [self._clause(name, value) for name, value in condition.items()]

    def _clause(self, name: str, value: str | int) -> dict[str, Any]:
        field = self._field(name)
        if isinstance(value, int) is not field.is_number:
            return _NOTHING
        if isinstance(value, str) and field.longest is not None and len(value) > field.longest:
            raise ConfigurationError(
                f"The index {self._index_name!r} cannot filter by a {name} of more than "
                f"{field.longest} letters. Map the field as a keyword without ignore_above."
            )
        return {"term": {field.name: {"value": value}}}

    def _field(self, name: str) -> _Field:
        """Returns the field by which filters compare a metadata value.

        Raises:
            NotFilterableError: The index has words only, or does not index it at all.
        """
        if name not in self._fields:
            mapping, path = self._mapping(), f"{METADATA}.{name}"
            metadata = (mapping.get("properties") or {}).get(METADATA) or {}
            kind = metadata.get("type", "object")
            if kind in _FLAT_OBJECTS and metadata.get("index", True):
                self._fields[name] = _Field(path, False, metadata.get("ignore_above"))
                return self._fields[name]
            mapped = (metadata.get("properties") or {}).get(name)
            if kind != "object" or (mapped is None and not _maps_new_fields(mapping, metadata)):
                raise NotFilterableError(
                    f"The index {self._index_name!r} does not index {path}, so it cannot be "
                    f"filtered. Map it as a keyword, and index the chunks again."
                )
            if mapped is None:  # No chunk has it yet, as far as the mapping shows.
                return _Field(f"{path}{_DEFAULT_KEYWORD}", False, None, is_mapped=False)
            self._fields[name] = self._as_field(path, mapped)
        return self._fields[name]

    def _as_field(self, path: str, mapped: Mapping[str, Any]) -> _Field:
        candidates = {
            "": mapped,
            **{f".{key}": each for key, each in (mapped.get("fields") or {}).items()},
        }
        for suffix, each in candidates.items():
            kind, is_indexed = each.get("type"), each.get("index", True)
            if is_indexed and (kind in _KEYWORDS or (kind in _NUMBERS and not suffix)):
                return _Field(f"{path}{suffix}", kind in _NUMBERS, each.get("ignore_above"))
        raise NotFilterableError(
            f"The index {self._index_name!r} maps {path} as {mapped.get('type', 'object')}, which "
            f"cannot be filtered. Map it as a keyword."
        )

    def _finds_all(self, object_ids: Sequence[str]) -> bool:
        """Returns whether a filter finds all chunks of these objects."""
        if not object_ids:
            return True
        try:
            field = self._field(self._object_field.name)
        except NotFilterableError:
            return False
        if not field.is_mapped:
            # Chunks written before the index mapped new fields, or beyond its limit of fields.
            return self.chunk_count() in {0, None}
        longest, values = field.longest, self._object_field.stored(object_ids)
        # The index has no keyword for longer ones.
        return longest is None or all(len(value) <= longest for value in values)

    def _properties(self) -> dict[str, Any]:
        properties: dict[str, Any] = self._mapping().get("properties") or {}
        return properties

    def _mapping(self) -> dict[str, Any]:
        answer = self._ask("GET", f"/{self._index_name}/_mapping") or {}
        # An alias answers with the name of its index.
        for each in answer.values():
            mapping: dict[str, Any] = each["mappings"]
            return mapping
        return {}


def _maps_new_fields(mapping: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
    """Returns whether the index maps metadata as it is first written, in the default way."""
    dynamic = metadata.get("dynamic", mapping.get("dynamic", True))
    is_enabled = metadata.get("enabled", True) and mapping.get("enabled", True)
    return is_enabled in {True, "true"} and dynamic in {True, "true"}


def whole_query(
    own: Any, candidates: int = 0
) -> Callable[[dict[str, Any], str | None], dict[str, Any]]:
    """Returns a change of Elasticsearch's queries, after which the caller's own is applied.

    Changed queries look at enough candidates, and fail if a shard does not answer.

    Args:
        own: The caller's change; ``None`` if there is none.
        candidates: The least number of candidates.
    """

    def change(query: dict[str, Any], text: str | None) -> dict[str, Any]:
        # Otherwise the hits of shards that do not answer are left out.
        changed = {**query, "allow_partial_search_results": False}
        if "knn" in query:
            knn = query["knn"]
            wanted = max(candidates, knn["num_candidates"], knn["k"] * 3 // 2)
            changed["knn"] = {**knn, "num_candidates": min(wanted, _MOST_CANDIDATES)}
        return changed if own is None else dict(own(changed, text))

    return change
