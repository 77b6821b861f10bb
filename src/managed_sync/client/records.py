"""Reads records one by one, so that a malformed one does not take its page with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from managed_sync.client.operations import parse_model
from managed_sync.errors import ResponseFormatError
from managed_sync.models import MalformedRecord, SyncedRecord

__all__ = ["parse_each", "parse_record"]

_DATE: TypeAdapter[datetime | None] = TypeAdapter(datetime | None)


def parse_record(document: Any) -> SyncedRecord:
    """Reads one record; an optional field that is null or no date is taken for absent.

    Raises:
        ResponseFormatError: The record is malformed; the message names the field.
    """
    try:
        return SyncedRecord.model_validate(document)
    except ValidationError:
        return parse_model(SyncedRecord, _with_usable_fields(document))


def parse_each(
    documents: Iterable[Any], parse: Callable[[Any], SyncedRecord]
) -> tuple[tuple[SyncedRecord, ...], tuple[MalformedRecord, ...]]:
    """Reads the records of a page; returns those that can be read, and the others with reasons.

    Args:
        documents: The records as JSON values.
        parse: Reads one, or raises ``ResponseFormatError``.
    """
    read, malformed = [], []
    for document in documents:
        try:
            read.append(parse(document))
        except ResponseFormatError as error:
            malformed.append(MalformedRecord(_id_of(document), str(error)))
    return tuple(read), tuple(malformed)


def _with_usable_fields(document: Any) -> Any:
    if not isinstance(document, Mapping):
        return document
    fields = {name: value for name, value in document.items() if value is not None}
    for name in ("id", "sourceId"):
        if _is_whole_number(fields.get(name)):
            fields[name] = str(fields[name])
    if not _is_date(fields.get("updatedAt")):
        # The version of such a record rests on its other fields, and on its content.
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
    if _is_whole_number(found):
        return str(found)
    return found if isinstance(found, str) and found else None


def _is_whole_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
