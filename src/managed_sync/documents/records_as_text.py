"""Contacts, companies, deals, tickets, and records of any other kind, as text worth reading."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from managed_sync.documents import markdown
from managed_sync.models import SyncedRecord

__all__ = ["record_text", "record_title"]

# Not the calendar module's, whose names change with the machine's language.
_MONTHS = [
    *["January", "February", "March", "April", "May", "June"],
    *["July", "August", "September", "October", "November", "December"],
]
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?\Z")
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_|-")
_DEEPEST = 20

# What comes first, in this order; all other fields follow in the order of the record.
_FIELDS = {
    "contacts": "id firstName lastName jobTitle company email phone owner tags",
    "companies": "id name domain industry phone address owner tags",
    "deals": "id stage amount closeDate company owner contactIds",
    "tickets": "id status priority requester assignee company tags",
}
_TITLES = ("name", "subject", "title", "displayName", "email", "domain")
_LONG_TEXTS = ("description", "notes", "comments")
# Shown elsewhere, or of no meaning to a reader.
_HIDDEN = {"parentId", "currency", "customFields", *_LONG_TEXTS}
_HIDDEN_NAMES = {"contacts": {"firstName", "lastName"}, "deals": {"name"}, "tickets": {"subject"}}
_LABELS = {"id": "ID", "url": "URL", "contactIds": "Contacts"}


def record_title(record: SyncedRecord) -> str:
    """What a person would call the record.

    Example:
        >>> data = {"firstName": "Ada", "lastName": "Byron"}
        >>> record_title(SyncedRecord(id="1", integration="x", sync_type="contacts", data=data))
        'Ada Byron'
    """
    data = record.data
    names = [str(data[key]) for key in ("firstName", "lastName") if data.get(key)]
    if names:
        return " ".join(names)
    for key in _TITLES:
        value = data.get(key)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())
    return record.source_id or record.id


def record_text(record: SyncedRecord) -> str:
    """The record as Markdown: its title as heading, a line for each field, then its long texts.

    Amounts come with their currency, dates in words, comments with author and date, custom fields
    under their own names; nested values are indented, never dumped as JSON.
    """
    data = record.data
    first = _FIELDS.get(record.sync_type, "").split()
    hidden = _HIDDEN | _HIDDEN_NAMES.get(record.sync_type, {"name"} if "name" in data else set())
    keys = [key for key in first if key in data] + [key for key in data if key not in first]
    lines = [line for key in keys if key not in hidden for line in _field(key, data[key], data)]
    custom = data.get("customFields")
    if isinstance(custom, Mapping):
        lines += [line for key, value in custom.items() for line in _lines(str(key), value)]
    blocks = [
        markdown.heading(record_title(record), 1),
        markdown.paragraph("\n".join(lines)),
    ]
    for key in _LONG_TEXTS:
        blocks += _long_text(_label(key), data.get(key))
    return markdown.join_blocks(blocks) + "\n"


def _field(key: str, value: Any, data: Mapping[str, Any]) -> Iterator[str]:
    if key == "amount" and isinstance(value, int | float) and not isinstance(value, bool):
        currency = data.get("currency")
        yield f"{_label(key)}: {_number(value)}{f' {currency}' if currency else ''}"
    else:
        yield from _lines(_label(key), value)


def _long_text(label: str, value: Any) -> Iterator[str]:
    """A text under a heading of its own; a list of comments with author and date each."""
    if not _is_present(value):
        return
    yield markdown.heading(label, 2)
    entries = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    for entry in entries:
        if isinstance(entry, Mapping) and "body" in entry:
            about = [entry.get("author"), entry.get("createdAt")]
            head = ", ".join(_scalar(part) for part in about if _is_present(part))
            body = _scalar(entry["body"])
            yield markdown.paragraph(f"{head}: {body}" if head else body)
        elif isinstance(entry, Mapping):
            yield markdown.paragraph("\n".join(_nested(entry, 0)))
        else:
            yield markdown.paragraph(_scalar(entry))


def _lines(label: str, value: Any, depth: int = 0) -> Iterator[str]:
    """A field as one line, or as a line and indented ones for what is nested in it."""
    if not _is_present(value):
        return
    indent = "  " * depth
    if not isinstance(value, Mapping | list | tuple):
        yield f"{indent}{label}: {_scalar(value)}"
    elif depth >= _DEEPEST:
        yield f"{indent}{label}: …"
    elif isinstance(value, Mapping):
        yield f"{indent}{label}:"
        yield from _nested(value, depth + 1)
    elif not any(isinstance(item, Mapping | list | tuple) for item in value):
        yield f"{indent}{label}: {', '.join(_scalar(item) for item in value)}"
    else:
        yield f"{indent}{label}:"
        for number, item in enumerate(value, start=1):
            yield from _lines(str(number), item, depth + 1)


def _nested(value: Mapping[Any, Any], depth: int) -> Iterator[str]:
    for key, item in value.items():
        yield from _lines(_label(str(key)), item, depth)


def _is_present(value: Any) -> bool:
    return value is not None and value not in ("", [], {}, ())


def _label(key: str) -> str:
    """A field's name as words: ``closeDate`` gives ``Close date``."""
    if key in _LABELS:
        return _LABELS[key]
    words = " ".join(_WORD_STARTS.sub(" ", key).split())
    return (words[:1].upper() + words[1:].lower()) if words else key


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return str(value)
    text = str(value).strip()
    return _date(text) if _DATE.match(text) else text


def _number(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")


def _date(text: str) -> str:
    """``2026-11-02T09:30:00Z`` gives ``2 November 2026, 09:30 UTC``."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    day = f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
    if len(text) == len("2026-11-02"):
        return day
    zone = f" {moment.tzname()}" if moment.tzinfo else ""
    return f"{day}, {moment:%H:%M}{zone}"
