"""Answers like Elasticsearch and OpenSearch, in the form of their documentation.

It keeps documents, maps metadata as both do by default, applies the filters that the adapters send,
and ranks by the vectors. Everything else is refused, so no test relies on what it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tests.stores.recording_server import Request, Service

INDEX = "passages"
_TEXT = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}


class SearchEngine(Service):
    """One index of a search engine.

    Attributes:
        documents: The documents, by their ids.
        mapping: The mapping of the index; ``None`` if there is none.
        failing_shards: The number of shards that do not answer.
    """

    headers = {"X-Elastic-Product": "Elasticsearch"}  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, dict[str, Any]] = {}
        self.mapping: dict[str, Any] | None = None
        self.failing_shards = 0

    def answer(self, request: Request) -> tuple[int, Any]:
        path = request.path.split("?")[0]
        if path == "/":
            version = {"number": "2.19.0", "distribution": "opensearch"}
            return 200, {"version": version, "tagline": "The OpenSearch Project"}
        if path.endswith("/_bulk"):
            self.mapping = self.mapping or {"properties": {}}
            items = list(self._bulk(_as_list(request.body)))
            return 200, {
                "errors": any("error" in v for i in items for v in i.values()),
                "items": items,
            }
        assert path.split("/")[1] == INDEX, request
        return self._of_index(request, path.removeprefix(f"/{INDEX}"))

    def _of_index(  # noqa: PLR0911 - one for each operation
        self, request: Request, operation: str
    ) -> tuple[int, Any]:
        body = request.body or {}
        if request.method == "PUT" and not operation:
            self.mapping = body["mappings"]
            return 200, {"acknowledged": True, "shards_acknowledged": True, "index": INDEX}
        if self.mapping is None:
            error = {"type": "index_not_found_exception", "reason": f"no such index [{INDEX}]"}
            return 404, {"error": {**error, "root_cause": [error]}, "status": 404}
        shards = {"total": 3, "successful": 3 - self.failing_shards, "failed": self.failing_shards}
        if operation in {"", "/_mapping"}:
            return 200, {INDEX: {"mappings": self.mapping, "aliases": {}, "settings": {}}}
        if operation == "/_refresh":
            return 200, {"_shards": shards}
        if operation == "/_delete_by_query":
            [ids] = [each["terms"]["_id"] for each in body["query"]["bool"]["filter"]]
            deleted = [self.documents.pop(key, None) for key in ids]
            return 200, {"deleted": len(deleted), "failures": []}
        if operation == "/_mget":
            return 200, {"docs": [self._got(key, request.path) for key in body["ids"]]}
        if operation == "/_count":
            indexed = map(self._indexed, self.documents.values())
            found = [each for each in indexed if _meets(each, body.get("query"))]
            return 200, {"count": len(found), "_shards": shards}
        assert operation == "/_search", request
        if self.failing_shards and "allow_partial_search_results=false" in request.path:
            return 503, {"error": {"type": "search_phase_execution_exception"}, "status": 503}
        hits = self._sorted(body) if "sort" in body else self._ranked(body)
        return 200, {"took": 1, "timed_out": False, "_shards": shards, "hits": {"hits": hits}}

    def _bulk(self, lines: list[Any]) -> Iterator[dict[str, Any]]:
        rest = iter(lines)
        for line in rest:
            [(action, about)] = line.items()
            key = about["_id"]
            known = key in self.documents
            if action == "index":
                self._put(key, next(rest))
            elif action == "delete":
                self.documents.pop(key, None)
            else:
                script = next(rest)["script"]
                assert script["source"] == "ctx._source.metadata = params.metadata"
                if known:
                    self._put(key, {**self.documents[key], **script["params"]})
            status = 200 if known else 201 if action == "index" else 404
            result: dict[str, Any] = {"_index": INDEX, "_id": key, "status": status}
            if action == "update" and not known:
                result["error"] = {"type": "document_missing_exception"}
            yield {action: result}

    def _put(self, key: str, source: dict[str, Any]) -> None:
        assert self.mapping is not None
        metadata = self.mapping["properties"].setdefault("metadata", {})
        self.documents[key] = source
        if metadata.get("enabled") is False or metadata.get("dynamic") == "false":
            return
        properties = metadata.setdefault("properties", {})
        for name, value in source.get("metadata", {}).items():
            if value is not None:
                properties.setdefault(name, _TEXT if isinstance(value, str) else {"type": "long"})

    def _indexed(self, source: dict[str, Any]) -> dict[str, Any]:
        """A document as filters see it: with the metadata that are mapped."""
        assert self.mapping is not None
        mapped = self.mapping["properties"].get("metadata", {}).get("properties", {})
        metadata = source.get("metadata", {})
        return {**source, "metadata": {name: metadata[name] for name in mapped if name in metadata}}

    def _got(self, key: str, path: str) -> dict[str, Any]:
        found = self.documents.get(key)
        if found is None:
            return {"_index": INDEX, "_id": key, "found": False}
        source = {} if "_source=false" in path else {"_source": found}
        return {"_index": INDEX, "_id": key, "found": True, **source}

    def _sorted(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        [[field, _]] = [next(iter(each.items())) for each in body["sort"]]
        after = body.get("search_after", [""])[0]
        found = sorted(
            (_value(source, field), key)
            for key, source in self.documents.items()
            if _meets(source, body["query"]) and _value(source, field) > after
        )
        return [{"_id": key, "sort": [value]} for value, key in found[: body["size"]]]

    def _ranked(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        query, filters, field, size = _vector_query(body)
        ranked = sorted(
            (
                (float(np.dot(query, source[field])), key)
                for key, source in self.documents.items()
                if all(_meets(self._indexed(source), each) for each in filters)
            ),
            reverse=True,
        )
        return [
            {"_index": INDEX, "_id": key, "_score": score + 1, "_source": self.documents[key]}
            for score, key in ranked[:size]
        ]


def _vector_query(body: dict[str, Any]) -> tuple[Any, list[Any], str, int]:
    """The vector, the filters, the field and the limit of a search."""
    if "knn" in body:  # Elasticsearch
        knn = body["knn"]
        assert knn["k"] <= knn["num_candidates"] <= 10_000, knn
        filters = knn["filter"] if isinstance(knn["filter"], list) else [knn["filter"]]
        return knn["query_vector"], filters, knn["field"], min(body["size"], knn["k"])
    if "knn" in body["query"]:  # OpenSearch
        [(field, knn)] = body["query"]["knn"].items()
        return knn["vector"], [knn.get("filter")], field, min(body["size"], knn["k"])
    scored = body["query"]["script_score"]
    params, source = scored["script"]["params"], scored["script"]["source"]
    if source == "knn_score":
        assert params["space_type"] in {"l2", "cosinesimil", "innerproduct"}
        return params["query_value"], [scored["query"]], params["field"], body["size"]
    [field] = re.findall(r"cosineSimilarity\(params.query_vector, '(\w+)'\)", source)
    return params["query_vector"], [scored["query"]], field, body["size"]


def _meets(source: Mapping[str, Any], query: Any) -> bool:  # noqa: PLR0911 - one for each kind
    if query is None:
        return True
    [(kind, about)] = query.items()
    if kind == "bool":
        assert about.keys() <= {"filter", "must", "must_not", "should", "minimum_should_match"}
        needed = [*_as_list(about.get("filter", [])), *_as_list(about.get("must", []))]
        if about.get("should"):
            needed.append({"any": about["should"]})
        ruled_out = any(_meets(source, each) for each in _as_list(about.get("must_not", [])))
        return all(_meets(source, each) for each in needed) and not ruled_out
    if kind == "any":
        return any(_meets(source, each) for each in about)
    if kind in {"match_all", "match_none"}:
        return bool(kind == "match_all")
    [(field, wanted)] = about.items()
    if kind == "terms":
        assert len(wanted) <= 65_536
        return any(_value(source, field) == each for each in wanted)
    if kind == "range":
        found = _value(source, field)
        return found is not None and all(_compares(found, *each) for each in wanted.items())
    assert kind == "term", query
    return bool(_value(source, field) == (wanted["value"] if isinstance(wanted, dict) else wanted))


def _compares(found: Any, how: str, wanted: Any) -> bool:
    results: dict[str, bool] = {
        "gt": found > wanted,
        "gte": found >= wanted,
        "lt": found < wanted,
        "lte": found <= wanted,
    }
    return results[how]


def _value(source: Mapping[str, Any], field: str) -> Any:
    """The value of a field; a text is one only as a keyword, which is not longer than 256."""
    outer, name, *suffix = field.split(".")
    found = source.get(outer, {}).get(name)
    if not isinstance(found, str):
        return None if suffix else found
    return found if suffix == ["keyword"] and len(found) <= 256 else None


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
