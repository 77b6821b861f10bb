"""The server's own description against the specification: what it promises must all be there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from managed_sync.server import ServerConfig, create_app
from tests.server.company import Company
from tests.server.openapi_documents import Document, operations, resolved, specification


@pytest.fixture
def own(company: Company, state: Path) -> Document:
    return create_app(ServerConfig.of_folder(company.folder, state)).openapi()


def test_the_server_keeps_the_specification(own: Document) -> None:
    assert list(breaches(own)) == []


def test_every_operation_but_health_and_metrics_needs_a_token(own: Document) -> None:
    open_to_all = {path for _, path, one in operations(own) if "security" not in one}
    assert open_to_all == {"/healthz", "/readyz", "/metrics"}


STATUS = "/projects/{projectId}/sync/status"
CHECK = "/projects/{projectId}/permissions/check-access"


def _without_an_operation(document: Document) -> None:
    del document["paths"][STATUS]


def _with_another_name(document: Document) -> None:
    document["paths"][STATUS]["get"]["operationId"] = "status"


def _with_another_status(document: Document) -> None:
    responses = document["paths"][STATUS]["get"]["responses"]
    responses["201"] = responses.pop("200")


def _with_one_more_required_parameter(document: Document) -> None:
    document["paths"][STATUS]["get"]["parameters"].append(
        {"name": "since", "in": "query", "required": True, "schema": {"type": "string"}}
    )


def _without_a_parameter(document: Document) -> None:
    document["paths"][STATUS]["get"]["parameters"].pop()


def _with_another_type_in_an_answer(document: Document) -> None:
    document["components"]["schemas"]["SyncStatus"]["properties"]["recordCount"]["type"] = "string"


def _without_a_field_in_an_answer(document: Document) -> None:
    del document["components"]["schemas"]["SyncStatus"]["properties"]["recordCount"]


def _with_one_more_required_field_in_a_body(document: Document) -> None:
    document["components"]["schemas"]["AccessCheck"]["required"].append("context")


@pytest.mark.parametrize(
    "change",
    [
        _without_an_operation,
        _with_another_name,
        _with_another_status,
        _with_one_more_required_parameter,
        _without_a_parameter,
        _with_another_type_in_an_answer,
        _without_a_field_in_an_answer,
        _with_one_more_required_field_in_a_body,
    ],
)
def test_a_change_that_breaks_it_is_found(
    own: Document, change: Callable[[Document], None]
) -> None:
    changed = deepcopy(own)
    change(changed)
    assert list(breaches(changed))


def breaches(own: Document) -> Iterator[str]:
    """Yields the differences between a description and the specification's promises."""
    promised = resolved(specification(), specification()["paths"])
    paths = resolved(own, own["paths"])
    for path, methods in promised.items():
        for method, operation in methods.items():
            name = operation["operationId"]
            found = paths.get(path, {}).get(method)
            if found is None:
                yield f"{name} is missing"
                continue
            if found["operationId"] != name:
                yield f"{name} is called {found['operationId']}"
            yield from _parameter_breaches(name, operation, found)
            yield from _body_breaches(name, operation, found)
            yield from _answer_breaches(name, operation, found)


def _parameter_breaches(name: str, promised: Document, found: Document) -> Iterator[str]:
    def listed(operation: Document) -> dict[tuple[str, str], bool]:
        return {
            (one["name"], one["in"]): one.get("required", False)
            for one in operation.get("parameters", ())
        }

    if listed(promised) != listed(found):
        yield f"{name} takes {listed(found)} instead of {listed(promised)}"


def _body_breaches(name: str, promised: Document, found: Document) -> Iterator[str]:
    if "requestBody" not in promised:
        if "requestBody" in found:
            yield f"{name} takes a body"
        return
    wanted = promised["requestBody"]["content"]["application/json"]["schema"]
    taken = found["requestBody"]["content"]["application/json"]["schema"]
    # Where the specification requires nothing, what it describes may still be asked for.
    allowed = set(wanted.get("required", wanted["properties"]))
    if not set(taken.get("required", ())) <= allowed:
        yield f"{name} requires {taken['required']} in its body, not only {sorted(allowed)}"
    yield from _schema_breaches(f"{name}: body", wanted, taken)


def _answer_breaches(name: str, promised: Document, found: Document) -> Iterator[str]:
    for status, answer in promised["responses"].items():
        given = found["responses"].get(status)
        if given is None:
            yield f"{name} does not answer {status}"
            continue
        for media_type, content in answer.get("content", {}).items():
            if media_type not in given.get("content", {}):
                yield f"{name} does not answer {media_type}"
                continue
            schema = given["content"][media_type]["schema"]
            yield from _schema_breaches(f"{name}: {status}", content["schema"], schema)


def _schema_breaches(place: str, promised: Any, found: Any) -> Iterator[str]:
    found = _without_null(found)
    # What the specification leaves open, such as the items of a batch, may stay open.
    if promised.get("type") != found.get("type") and found.keys() - {"title"}:
        yield f"{place} is {found.get('type')}, not {promised.get('type')}"
        return
    if "enum" in promised and promised["enum"] != found.get("enum"):
        yield f"{place} is one of {found.get('enum')}"
    for name, schema in promised.get("properties", {}).items():
        if name not in found.get("properties", {}):
            yield f"{place} lacks {name}"
        else:
            yield from _schema_breaches(f"{place}.{name}", schema, found["properties"][name])
    if "items" in promised:
        yield from _schema_breaches(f"{place}[]", promised["items"], found["items"])


def _without_null(schema: Any) -> Any:
    """Returns a schema without the "or null" of optional values in the server's description."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else schema
