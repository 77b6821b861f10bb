"""Answers like an index of Azure AI Search, in the form of its documentation."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from tests.stores.recording_server import Request, Service

_TEXT = r"'((?:[^']|'')*)'"
_LIST = re.compile(rf"search\.in\((\w+), {_TEXT}, '(.)'\)", re.DOTALL)
_EQUAL = re.compile(rf"(\w+) eq (?:{_TEXT}|(-?\d+))", re.DOTALL)


class AzureIndex(Service):
    """An index that exists already; a filter by another field than its own is refused.

    Attributes:
        documents: The documents, by their keys.
        filterable: The fields that filters may name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, dict[str, Any]] = {}
        self.filterable = {"id", "object_id", "page", "title", "integration", "sync_type"}

    def answer(self, request: Request) -> tuple[int, Any]:
        path, body = request.path.split("?")[0], request.body
        if request.method == "GET":
            fields = [{"name": "id", "type": "Edm.String", "key": True}]
            return 200, {"name": "passages", "fields": fields, "@odata.etag": "1"}
        if path.endswith("search.index"):
            results = [self._changed(each) for each in body["value"]]
            return 200 if all(each["status"] for each in results) else 207, {"value": results}
        assert path.endswith("search.post.search"), request
        condition = body.get("filter")
        try:
            found = [each for each in self.documents.values() if self._meets(each, condition)]
        except KeyError as error:
            message = f"Invalid expression: Could not find a property named {error}"
            return 400, {"error": {"code": "InvalidRequestParameter", "message": message}}
        if queries := body.get("vectorQueries"):
            [query] = queries
            scored = [
                (float(np.dot(query["vector"], each[query["fields"]])), each) for each in found
            ]
            scored.sort(key=lambda pair: -pair[0])
            found = [{**each, "@search.score": score} for score, each in scored[: body["top"]]]
        return 200, {"value": [{"@search.score": 1.0, **each} for each in found]}

    def _changed(self, change: dict[str, Any]) -> dict[str, Any]:
        action, key = change.pop("@search.action"), change["id"]
        assert re.fullmatch(r"[\w=-]+", key), key
        known = key in self.documents
        if action == "delete":
            self.documents.pop(key, None)
        elif action == "upload":
            self.documents[key] = change
        else:
            assert action == "merge"
            if not known:
                return {"key": key, "status": False, "errorMessage": "gone", "statusCode": 404}
            self.documents[key] |= change
        return {"key": key, "status": True, "errorMessage": None, "statusCode": 200}

    def _meets(self, document: dict[str, Any], condition: str | None) -> bool:
        """It takes lists and equalities, joined by ``or`` and, with parentheses, by ``and``."""
        if condition is None:
            return True
        values: list[str] = []

        def evaluated(field: str, wanted: list[Any]) -> str:
            if field not in self.filterable:
                raise KeyError(field)
            values.append(str(document.get(field) in wanted))
            return f" {values[-1]} "

        def listed(found: re.Match[str]) -> str:
            field, texts, delimiter = found.groups()
            return evaluated(field, texts.replace("''", "'").split(delimiter))

        def equal(found: re.Match[str]) -> str:
            field, text, number = found.groups()
            return evaluated(field, [int(number) if text is None else text.replace("''", "'")])

        rest = _EQUAL.sub(equal, _LIST.sub(listed, condition))
        assert re.fullmatch(r"(?:[()\s]|and|or|True|False)+", rest), condition
        return bool(eval(rest))  # noqa: S307 - of constants, as just asserted
