"""Reads records one by one, so that a malformed one does not take its page with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from managed_sync.client.wire import json_parts
from managed_sync.client.wire.response import (
    Response,
    UnreadableJsonError,
    is_integer,
    parse_json,
    parse_model,
)
from managed_sync.errors import ResponseFormatError
from managed_sync.models import MalformedRecord, SyncedRecord

__all__ = ["Unreadable", "parse_each", "parse_page", "parse_record", "refuse_deep"]

_DATE: TypeAdapter[datetime | None] = TypeAdapter(datetime | None)
# Slightly less than the depth that pydantic reads and writes.
_MAX_DEPTH = 190


class Unreadable(dict[str, Any]):
    """A stand-in for a record with unreadable JSON; it has the record's id if that is readable.

    Attributes:
        reason: One sentence that says why.
    """

    def __init__(self, record_id: Any, reason: str) -> None:
        super().__init__(id=record_id)
        self.reason = reason


def parse_page(response: Response, listed: str) -> Any:
    """Reads a page as JSON, so that one unreadable record leaves the others intact.

    Args:
        response: The API's response.
        listed: The name of the field with the records.

    Raises:
        ResponseFormatError: The page cannot be read.
    """
    try:
        return parse_json(response)
    except UnreadableJsonError as error:
        unreadable = error
    text = response.content.decode(json.detect_encoding(response.content), "surrogatepass")
    try:
        fields = json_parts.members(text)
        records = [_read(part) for part in json_parts.items(fields.pop(listed, "[]"))]
        return {name: json.loads(part) for name, part in fields.items()} | {listed: records}
    except (ValueError, RecursionError):
        raise unreadable from None


def parse_record(document: Any) -> SyncedRecord:
    """Reads one record. An optional field that is null, or not a date, counts as missing.

    Raises:
        ResponseFormatError: The record is malformed; the message names the field.
    """
    refuse_deep(document)
    try:
        return SyncedRecord.model_validate(document)
    except ValidationError:
        return parse_model(SyncedRecord, _with_usable_fields(document))


def refuse_deep(document: Any) -> None:
    """Refuses a record that could not be written again after reading.

    Raises:
        ResponseFormatError: The record is unreadable, or nested too deeply.
    """
    if isinstance(document, Unreadable):
        raise ResponseFormatError(document.reason)
    level: Sequence[Any] = [document]
    for _ in range(_MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ResponseFormatError(f"The record is nested more than {_MAX_DEPTH} levels deep.")


def parse_each(
    documents: Iterable[Any], parse: Callable[[Any], SyncedRecord]
) -> tuple[tuple[SyncedRecord, ...], tuple[MalformedRecord, ...]]:
    """Returns the readable records of a page, and the malformed ones with reasons.

    Args:
        documents: The records as JSON values.
        parse: Reads one record, or raises ``ResponseFormatError``.
    """
    read, malformed = [], []
    for document in documents:
        try:
            read.append(parse(document))
        except ResponseFormatError as error:
            malformed.append(MalformedRecord(_id_of(document), str(error)))
    return tuple(read), tuple(malformed)


def _read(part: str) -> Any:
    try:
        return json.loads(part)
    except RecursionError:
        reason = "The record is nested too deeply to be read."
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError):
            raise
        reason = "The record has a number with too many digits to be read."
    try:
        return Unreadable(json.loads(json_parts.members(part)["id"]), reason)
    except (KeyError, ValueError, RecursionError):
        return Unreadable(None, reason)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, list) else ()


def _with_usable_fields(document: Any) -> Any:
    if not isinstance(document, Mapping):
        return document
    fields = {name: value for name, value in document.items() if value is not None}
    for name in ("id", "sourceId"):
        if is_integer(fields.get(name)):
            fields[name] = str(fields[name])
    if not _is_date(fields.get("updatedAt")):
        # The other fields and the content still decide the version of the record.
        del fields["updatedAt"]
    return fields


def _is_date(value: Any) -> bool:
    try:
        _DATE.validate_python(value)
    except ValidationError:
        return False
    return True


def _id_of(document: Any) -> str | None:
    found = document.get("id") if isinstance(document, Mapping) else None
    if is_integer(found):
        return str(found)
    return found if isinstance(found, str) and found else None
