"""Writes contacts, companies, deals, tickets and any other records as text worth reading."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.logs import get_logger
from managed_sync.models import SyncedRecord

__all__ = ["TEMPLATES", "RecordTemplate", "Templates", "record_text", "template_title"]

_logger = get_logger(__name__)

# The names of the calendar module change with the machine's language.
_MONTHS = [
    *["January", "February", "March", "April", "May", "June"],
    *["July", "August", "September", "October", "November", "December"],
]
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?\Z")
_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_|-")
_MAX_DEPTH = 20

Templates: TypeAlias = Mapping[str, Callable[[SyncedRecord], str]]
"""Functions that turn records into text, by sync type."""

_TITLES = ("name", "subject", "title", "displayName", "email", "domain")


@dataclass(frozen=True)
class RecordTemplate:
    """A template that writes records of one kind as Markdown.

    Amounts get their currency, dates are written in words, comments with author and date. Fields
    that the template does not name follow those that it names; nested values are indented lines.

    Args:
        first: The fields that come first, in this order.
        titles: The fields that can be the title; the first one that has a value is used.
        names: Fields that form the title together, such as first and last name. They take
            precedence over ``titles``.
        long_texts: Fields with a heading of their own at the end: a text, or a list of comments.
        hidden: Fields that mean nothing to a reader.
        labels: Labels of fields whose own name in words is not good enough.
        amounts: Fields that hold an amount of the record's ``currency``.

    Examples:
        >>> invoices = RecordTemplate(first=("number", "total"), amounts=("total",))
        >>> data = {"name": "Crane", "total": 1200, "currency": "EUR", "number": "R-7"}
        >>> print(invoices(SyncedRecord(id="1", integration="x", sync_type="invoices", data=data)))
        # Crane
        <BLANKLINE>
        Number: R-7
        Total: 1,200 EUR
        <BLANKLINE>
    """

    first: tuple[str, ...] = ()
    titles: tuple[str, ...] = _TITLES
    names: tuple[str, ...] = ("firstName", "lastName")
    long_texts: tuple[str, ...] = ("description", "notes", "comments")
    hidden: tuple[str, ...] = ("parentId",)
    labels: Mapping[str, str] = field(default_factory=dict)
    amounts: tuple[str, ...] = ("amount",)

    def __call__(self, record: SyncedRecord) -> str:
        """Returns the record as Markdown: a heading, a line for each field, and the long texts."""
        data = record.data
        not_listed = {*self.hidden, *self.long_texts, "currency", "customFields"}
        not_listed.update(self._title_fields(data))
        keys = [*(key for key in self.first if key in data)]
        keys += [key for key in data if key not in keys]
        lines = [
            line
            for key in keys
            if key not in not_listed
            for line in self._field(key, data[key], data)
        ]
        custom = data.get("customFields")
        if isinstance(custom, Mapping):
            lines += [
                line for key, value in custom.items() for line in _lines(_custom_label(key), value)
            ]
        blocks = [
            markdown.heading(self.title(record), 1),
            markdown.paragraph("\n".join(lines)),
        ]
        for key in self.long_texts:
            blocks += _long_text(self._label(key), data.get(key))
        return markdown.join_blocks(blocks) + "\n"

    def title(self, record: SyncedRecord) -> str:
        """Returns the name that a person would use for the record."""
        parts = (record.data[key] for key in self._title_fields(record.data))
        return " ".join(" ".join(map(str, parts)).split()) or record.source_id or record.id

    def _title_fields(self, data: Mapping[str, Any]) -> list[str]:
        """Returns the fields that form the title."""
        if names := [key for key in self.names if data.get(key)]:
            return names
        for key in self.titles:
            value = data.get(key)
            if isinstance(value, str) and value.strip():
                return [key]
        return []

    def _field(self, key: str, value: Any, data: Mapping[str, Any]) -> Iterator[str]:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if key in self.amounts and is_number:
            currency = data.get("currency")
            yield f"{self._label(key)}: {_number(value)}{f' {currency}' if currency else ''}"
        else:
            yield from _lines(self._label(key), value)

    def _label(self, key: str) -> str:
        return self.labels.get(key) or _label(key)


def _fields(names: str) -> tuple[str, ...]:
    return tuple(names.split())


DEFAULT_TEMPLATE = RecordTemplate()
TEMPLATES: Mapping[str, RecordTemplate] = {
    "contacts": RecordTemplate(_fields("id jobTitle company email phone owner tags")),
    "companies": RecordTemplate(_fields("id domain industry phone address owner tags")),
    "deals": RecordTemplate(
        _fields("id stage amount closeDate company owner contactIds"),
        labels={"contactIds": "Contacts"},
    ),
    "tickets": RecordTemplate(_fields("id status priority requester assignee company tags")),
}
_LABELS = {"id": "ID", "url": "URL"}


def template_title(record: SyncedRecord, templates: Templates | None) -> str:
    """Returns the title that the template of the record's sync type gives it.

    ``record_title`` is the title of any record, also of a file.
    """
    title = getattr((templates or {}).get(record.sync_type), "title", None)
    if callable(title):
        try:
            found = title(record)
            if found and isinstance(found, str):
                return found
        except Exception as error:  # noqa: BLE001 - a caller's function may raise anything
            _logger.debug(
                "The template for %s has no title: %s", record.sync_type, type(error).__name__
            )
    return TEMPLATES.get(record.sync_type, DEFAULT_TEMPLATE).title(record)


def record_text(record: SyncedRecord, templates: Templates | None = None) -> str:
    """Returns a record as Markdown, by the template of its sync type.

    Args:
        record: The record.
        templates: Templates by sync type that replace this package's: a ``RecordTemplate``, or
            any function that turns a record into text.
    """
    template = (templates or {}).get(record.sync_type)
    if template is None:
        template = TEMPLATES.get(record.sync_type, DEFAULT_TEMPLATE)
    return template(record)


def _long_text(label: str, value: Any) -> Iterator[str]:
    """Yields a text under its own heading; for a list of comments, each with author and date."""
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
    """Yields a field as one line, followed by indented lines for nested values."""
    if not _is_present(value):
        return
    indent = "  " * depth
    if not isinstance(value, Mapping | list | tuple):
        yield f"{indent}{label}: {_scalar(value)}"
    elif depth >= _MAX_DEPTH:
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


def _custom_label(key: object) -> str:
    """Returns the name of a custom field, in words if it is a programmer's name."""
    name = str(key)
    return name if " " in name or name[:1].isupper() else _label(name)


def _label(key: str) -> str:
    """Returns a field's name in words: ``closeDate`` gives ``Close date``."""
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
    """Writes ``2026-11-02T09:30:00Z`` as ``2 November 2026, 09:30 UTC``."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    day = f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"
    if len(text) == len("2026-11-02"):
        return day
    zone = f" {moment.tzname()}" if moment.tzinfo else ""
    return f"{day}, {moment:%H:%M}{zone}"
