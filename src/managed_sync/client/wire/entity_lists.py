"""Reads lists of subjects and of objects, whose form the specification leaves open.

A list may be bare or under a common key, in one document or with a line per entry. An entry may be
a string or an object that holds an identifier, as OpenFGA's and SpiceDB's.

Guarantees:

- No entry is left out: a list with an entry that cannot be read raises.
- A list that is incomplete, or may be, says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from managed_sync.client.wire.response import Response, described, is_integer, parse_json
from managed_sync.errors import IncompleteResponseError, ResponseFormatError
from managed_sync.identifiers import ObjectId, bare_user

__all__ = ["EntityList", "EntityPage", "parse_objects", "parse_subjects"]

# Fields that say that entries are missing, and fields with the number of all entries.
_CUT_MARKS = ("truncated", "isTruncated", "hasMore", "has_more", "partial", "incomplete")
_TOTALS = ("total", "totalCount", "total_count", "totalSize")
# The cursor of the next page: its name in a response, and in the request for that page.
_CONTINUATIONS = {
    "nextCursor": "cursor",
    "nextPageToken": "pageToken",
    "continuationToken": "continuationToken",
    "continuation_token": "continuation_token",
}


class EntityList(list[str]):
    """The identifiers of subjects or objects that an API listed.

    Attributes:
        is_whole: ``False`` if the response says that there are more, or leaves it in doubt.
    """

    def __init__(self, names: Iterable[str] = (), *, is_whole: bool = True) -> None:
        super().__init__(names)
        self.is_whole = is_whole


@dataclass(frozen=True, slots=True)
class EntityPage:
    """The identifiers of one response.

    Attributes:
        next_cursor: The cursor of the next page; ``None`` on the last one.
        cursor_field: The name of the cursor in a request's body.
        is_cut: ``True`` if the response says that entries are missing, or has no body at all.
        total: The number of all identifiers, if the response has it.
    """

    names: list[str]
    next_cursor: str | None = None
    cursor_field: str = ""
    is_cut: bool = False
    total: int = 0

    def is_end_of(self, names: Sequence[str]) -> bool:
        """Returns whether a list that ends with this page is whole, according to the page."""
        return not self.is_cut and self.next_cursor is None and self.total <= len(names)


def parse_objects(response: Response) -> EntityPage:
    """Reads a list of objects.

    Raises:
        ResponseFormatError: The list or an entry cannot be read. The message names the keys found.
        IncompleteResponseError: A line is cut off, or the list ends with an error.
    """
    return _parse(response, ("objects", "resources"), ("object", "resource"))


def parse_subjects(response: Response) -> EntityPage:
    """Reads a list of subjects; users are named without their type.

    Raises:
        ResponseFormatError: The list or an entry cannot be read. The message names the keys found.
        IncompleteResponseError: A line is cut off, or the list ends with an error.
    """
    page = _parse(response, ("subjects", "users"), ("subject", "user", "object"))
    return replace(page, names=[bare_user(name) for name in page.names])


def _parse(response: Response, list_keys: Sequence[str], wrappers: Sequence[str]) -> EntityPage:
    if not _is_in_lines(response):
        document = parse_json(response)
        names = [_name(item, wrappers) for item in _items(document, list_keys)]
        return _continued(names, document)
    names = []
    for line in _lines(response):
        entry = line.get("result", line) if isinstance(line, dict) else line
        _refuse_errors(line)
        names.append(_name(entry, wrappers))
    return EntityPage(names)


def _is_in_lines(response: Response) -> bool:
    kind = response.headers.get("content-type", "")
    if "ndjson" in kind or "jsonl" in kind:
        return True
    # Not every server declares this form: a first line of valid JSON, and a second line, show it.
    first, _, rest = response.content.strip().partition(b"\n")
    return bool(rest) and _json_or_none(first) is not None


def _lines(response: Response) -> Iterator[Any]:
    lines = [line for line in response.content.split(b"\n") if line.strip()]
    for number, line in enumerate(lines, start=1):
        value = _json_or_none(line)
        if value is None:
            raise IncompleteResponseError(
                f"Line {number} of {len(lines)} in the API's list is not valid JSON: the response "
                f"was cut off on its way. Try again."
            )
        yield value


def _json_or_none(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _items(document: Any, list_keys: Sequence[str]) -> list[Any]:
    _refuse_errors(document)
    items = document
    if isinstance(document, dict):
        items = next((document[key] for key in list_keys if key in document), None)
    if not isinstance(items, list):
        raise ResponseFormatError(
            f"Expected a list, or one under {' or '.join(map(repr, list_keys))}, in the API's "
            f"response, got {described(document, keys=True)}."
        )
    return items


def _refuse_errors(document: Any) -> None:
    if isinstance(document, dict) and document.get("error"):
        raise IncompleteResponseError(
            "The API's list ends with an error. Try again, and look at the API's log."
        )


def _continued(names: list[str], document: Any) -> EntityPage:
    if not isinstance(document, dict):
        return EntityPage(names)
    key = next((key for key in _CONTINUATIONS if document.get(key)), None)
    totals = [document[name] for name in _TOTALS if document.get(name) is not None]
    marks = [document.get(name) for name in _CUT_MARKS]
    # A mark that is not a boolean, or a total that is not a number, may mean anything.
    is_cut = any(mark not in (None, False) for mark in marks) or not all(map(is_integer, totals))
    total = 0 if is_cut else max(totals, default=0)
    if key is None:
        return EntityPage(names, is_cut=is_cut, total=total)
    cursor = document[key]
    if not isinstance(cursor, str):
        raise ResponseFormatError(
            f"Expected a string in the field {key} of the API's response, got {described(cursor)}."
        )
    return EntityPage(names, cursor, _CONTINUATIONS[key], is_cut, total)


def _name(item: Any, wrappers: Sequence[str]) -> str:
    if isinstance(item, str) and item:
        return item
    entry: dict[str, Any] = item if isinstance(item, dict) else {}
    name = _typed_name(entry) or entry.get("id")
    if isinstance(name, str) and name:
        return name
    inner = next((entry[key] for key in (*wrappers, "userset") if key in entry), None)
    if inner is None:
        raise ResponseFormatError(
            f"Expected an identifier in the API's list, got {described(item, keys=True)}."
        )
    return _with_relation(_name(inner, wrappers), entry.get("optionalRelation"))


def _typed_name(entry: dict[str, Any]) -> str | None:
    match entry:
        case {"type": str(kind), "id": str(name)} if kind and name:
            return _with_relation(str(ObjectId(kind, name)), entry.get("relation"))
        case {"objectType": str(kind), "objectId": str(name)} if kind and name:
            return str(ObjectId(kind, name))
        case {"wildcard": {"type": str(kind)}} if kind:
            return f"{kind}:*"
        case _:
            return None


def _with_relation(name: str, relation: Any) -> str:
    return f"{name}#{relation}" if relation else name
