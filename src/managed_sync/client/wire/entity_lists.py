"""Reads lists of subjects and of objects, whose form the specification leaves open.

A list may be bare or under a usual key, in one document or with a line for each entry, and an entry
may be a string or an object that holds an identifier; OpenFGA's and SpiceDB's are among these. What
cannot be read raises: no entry is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from managed_sync.client.wire.request import Response, parse_json
from managed_sync.errors import IncompleteResponseError, ResponseFormatError
from managed_sync.identifiers import ObjectId, bare_user

__all__ = ["NameList", "NamePage", "parse_objects", "parse_subjects"]

# What an answer calls the place where its next page begins, and what a request calls it.
_CONTINUATIONS = {
    "nextCursor": "cursor",
    "nextPageToken": "pageToken",
    "continuationToken": "continuationToken",
    "continuation_token": "continuation_token",
}


# By these an answer says that it lacks something, and by those how much there is.
_CUT_MARKS = ("truncated", "isTruncated", "hasMore", "has_more", "partial", "incomplete")
_TOTALS = ("total", "totalCount", "total_count", "totalSize")


class NameList(list[str]):
    """Identifiers that an API listed.

    Attributes:
        is_whole: ``False`` if the answer says, or lets fear, that there are more.
    """

    def __init__(self, names: Iterable[str] = (), *, is_whole: bool = True) -> None:
        super().__init__(names)
        self.is_whole = is_whole


@dataclass(frozen=True, slots=True)
class NamePage:
    """One answer's identifiers.

    Attributes:
        next_cursor: Where the rest of them begins; ``None`` if this is all.
        cursor_field: What that is called in the body of a request.
        is_cut: Whether the answer says that it lacks something, or is not there at all.
        total: How many there are in all, if it says so.
    """

    names: list[str]
    next_cursor: str | None = None
    cursor_field: str = ""
    is_cut: bool = False
    total: int = 0

    def is_end_of(self, names: Sequence[str]) -> bool:
        """Whether a list that ends with this page is whole, by all that the page says."""
        return not self.is_cut and self.next_cursor is None and self.total <= len(names)


def parse_objects(response: Response) -> NamePage:
    """Reads a list of objects.

    Raises:
        ResponseFormatError: It, or an entry, cannot be read; the message names the keys found.
        IncompleteResponseError: A line is not whole, or the API broke the list off.
    """
    return _parse(response, ("objects", "resources"), ("object", "resource"))


def parse_subjects(response: Response) -> NamePage:
    """Reads a list of subjects; users are named without their type.

    Raises:
        ResponseFormatError: It, or an entry, cannot be read; the message names the keys found.
        IncompleteResponseError: A line is not whole, or the API broke the list off.
    """
    page = _parse(response, ("subjects", "users"), ("subject", "user", "object"))
    return replace(page, names=[bare_user(name) for name in page.names])


def _parse(response: Response, list_keys: Sequence[str], wrappers: Sequence[str]) -> NamePage:
    if not _is_in_lines(response):
        document = parse_json(response)
        names = [_name(item, wrappers) for item in _items(document, list_keys)]
        return _continued(names, document)
    names = []
    for line in _lines(response):
        entry = line.get("result", line) if isinstance(line, dict) else line
        _refuse_errors(line)
        names.append(_name(entry, wrappers))
    return NamePage(names)


def _is_in_lines(response: Response) -> bool:
    kind = response.headers.get("content-type", "")
    if "ndjson" in kind or "jsonl" in kind:
        return True
    # Not every server names the form; a first line that is whole by itself, and another one, do.
    first, _, rest = response.content.strip().partition(b"\n")
    return bool(rest) and _json_or_none(first) is not None


def _lines(response: Response) -> Iterator[Any]:
    lines = [line for line in response.content.split(b"\n") if line.strip()]
    for number, line in enumerate(lines, start=1):
        value = _json_or_none(line)
        if value is None:
            raise IncompleteResponseError(
                f"Line {number} of {len(lines)} in the API's list is not whole JSON: the answer "
                f"broke off on its way. Try again."
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
            f"The API answered {_found(document)} where a list under one of {list(list_keys)} "
            f"belongs."
        )
    return items


def _refuse_errors(document: Any) -> None:
    if isinstance(document, dict) and document.get("error"):
        raise IncompleteResponseError(
            "The API broke its list off with an error. Try again, and look at its log."
        )


def _continued(names: list[str], document: Any) -> NamePage:
    if not isinstance(document, dict):
        return NamePage(names)
    key = next((key for key in _CONTINUATIONS if document.get(key)), None)
    totals = [document[name] for name in _TOTALS if document.get(name) is not None]
    marks = [document.get(name) for name in _CUT_MARKS]
    # A mark that is neither true nor false, or a total that is no number, may mean anything.
    is_cut = any(mark not in (None, False) for mark in marks) or not all(map(_is_count, totals))
    total = 0 if is_cut else max(totals, default=0)
    if key is None:
        return NamePage(names, is_cut=is_cut, total=total)
    cursor = document[key]
    if not isinstance(cursor, str):
        raise ResponseFormatError(f"The API's {key} is of type {type(cursor).__name__}, not text.")
    return NamePage(names, cursor, _CONTINUATIONS[key], is_cut, total)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _name(item: Any, wrappers: Sequence[str]) -> str:
    if isinstance(item, str) and item:
        return item
    entry: dict[str, Any] = item if isinstance(item, dict) else {}
    name = _typed_name(entry) or entry.get("id")
    if isinstance(name, str) and name:
        return name
    inner = next((entry[key] for key in (*wrappers, "userset") if key in entry), None)
    if inner is None:
        raise ResponseFormatError(f"The API listed {_found(item)} where an identifier belongs.")
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


def _found(value: Any) -> str:
    return str(sorted(value)) if isinstance(value, dict) else type(value).__name__
