"""OpenAPI documents: the specification, and what a check of random requests needs of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

SPECIFICATION = Path(__file__).parents[1] / "contract" / "managed-sync-openapi.yml"

Document = dict[str, Any]

_PROBLEM = {
    "description": "RFC 9457: the specification names no errors.",
    "content": {"application/problem+json": {"schema": {"type": "object"}}},
}


def specification() -> Document:
    document: Document = yaml.safe_load(SPECIFICATION.read_text(encoding="utf-8"))
    return document


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Method, path and description of every operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def resolved(document: Document, schema: Any, inside: tuple[str, ...] = ()) -> Any:
    """A schema with every reference replaced by what it refers to, but for those to themselves."""
    if isinstance(schema, list):
        return [resolved(document, one, inside) for one in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if reference is None:
        return {name: resolved(document, one, inside) for name, one in schema.items()}
    if reference in inside:
        return {}
    target: Any = document
    for part in reference.removeprefix("#/").split("/"):
        target = target[part]
    return resolved(document, target, (*inside, reference))


def with_errors_allowed(document: Document) -> Document:
    """The specification with what it leaves open: errors, and the media types of contents."""
    document = deepcopy(document)
    for _, _, operation in operations(document):
        operation["responses"]["default"] = _PROBLEM
        if operation["operationId"] == "downloadContent":
            content = operation["responses"]["200"]["content"]
            content["*/*"] = content["application/octet-stream"]
    return document


def with_known_values(document: Document, known: Mapping[str, Sequence[str]]) -> Document:
    """The document with values that exist in the place of any string, so that requests succeed."""
    document = deepcopy(document)
    for _, _, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            if parameter["name"] in known:
                parameter["schema"] = _one_of(known[parameter["name"]])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            content["schema"] = resolved(document, content["schema"])
            _restrict(content["schema"], known)
    return document


def _restrict(schema: Any, known: Mapping[str, Sequence[str]]) -> None:
    if not isinstance(schema, dict):
        return
    properties = schema.get("properties", {})
    # Where a document requires nothing, a request of nothing would get through as well.
    schema.setdefault("required", [name for name in properties if name in known])
    for name, value in properties.items():
        if name in known and "enum" not in value:
            schema["properties"][name] = _one_of(known[name])
        _restrict(value, known)
    _restrict(schema.get("items"), known)


def _one_of(values: Sequence[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(values)}
