"""Reads calendars: a heading, the times and the people for each event, task or note."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.parsers.mail.content_lines import (
    Component,
    Property,
    components,
)
from managed_sync.documents.parsing.parsers.text import parse_text

__all__ = ["calendar_text"]

_KINDS = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)?(Z)?)?")
_DURATION = re.compile(
    r"([+-])?P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?"
)
_WEEKDAYS = {
    "MO": "Monday",
    "TU": "Tuesday",
    "WE": "Wednesday",
    "TH": "Thursday",
    "FR": "Friday",
    "SA": "Saturday",
    "SU": "Sunday",
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September"),
    *("October", "November", "December"),
)
_UNITS = {
    "SECONDLY": "second",
    "MINUTELY": "minute",
    "HOURLY": "hour",
    "DAILY": "day",
    "WEEKLY": "week",
    "MONTHLY": "month",
    "YEARLY": "year",
}
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
_LINES = (
    ("Status", "STATUS"),
    ("Where", "LOCATION"),
    ("Categories", "CATEGORIES"),
    ("Priority", "PRIORITY"),
    ("Link", "URL"),
)
_DATE_LENGTH = 8


def calendar_text(text: str) -> str:
    """Returns the events, tasks and notes of a calendar as Markdown; without any, its lines."""
    root = components(text)
    blocks: list[str] = []
    for calendar in [each for each in root.components if each.kind == "VCALENDAR"] or [root]:
        blocks += [
            markdown.paragraph("\n".join(filter(None, [calendar.text("X-WR-CALNAME")]))),
            markdown.paragraph(calendar.text("X-WR-CALDESC")),
        ]
        is_canceled = calendar.text("METHOD").upper() == "CANCEL"
        for component in calendar.find(*_KINDS):
            blocks += _blocks(component, is_canceled=is_canceled)
    return markdown.join_blocks(blocks) or parse_text(text)


def _blocks(component: Component, *, is_canceled: bool) -> Iterator[str]:
    summary = component.text("SUMMARY")
    yield markdown.heading(summary, 1)
    yield markdown.paragraph("\n".join(_lines(component, is_canceled=is_canceled)))
    for description in component.all("DESCRIPTION", "COMMENT"):
        yield markdown.paragraph(description.text)


def _lines(component: Component, *, is_canceled: bool) -> Iterator[str]:
    if is_canceled:
        yield "Canceled"
    yield from _dates(component)
    for title, name in _LINES:
        for each in component.all(name):
            yield f"{title}: {', '.join(each.text.splitlines())}"
    yield from _people(component)
    for attachment in component.all("ATTACH"):
        if attachment.value.lower().startswith(("http://", "https://")):
            yield f"Attachment: {attachment.text}"
    for period in component.all("FREEBUSY"):
        yield f"Busy: {period.text}"


def _dates(component: Component) -> Iterator[str]:
    if when := _when(component):
        yield f"When: {when}"
    for due in component.all("DUE"):
        yield f"Due: {_time(due)}"
    for rule in component.all("RRULE"):
        yield f"Repeats: {_rule(rule.value)}"
    for exception in component.all("EXDATE"):
        yield f"Except: {_times(exception)}"
    for further in component.all("RDATE"):
        yield f"Also: {_times(further)}"


def _people(component: Component) -> Iterator[str]:
    for organizer in component.all("ORGANIZER"):
        yield f"Organizer: {_person(organizer)}"
    if people := [_person(each) for each in component.all("ATTENDEE")]:
        yield f"Attendees: {', '.join(people)}"
    for contact in component.all("CONTACT"):
        yield f"Contact: {contact.text}"


def _when(component: Component) -> str:
    start = next(component.all("DTSTART"), None)
    if start is None:
        return ""
    end = next(component.all("DTEND"), None)
    if end is not None:
        return _span(start, end)
    if duration := component.text("DURATION"):
        return f"{_time(start)}, for {_duration(duration)}"
    return _time(start)


def _span(start: Property, end: Property) -> str:
    """Returns a period; the end of one of whole days is the day after its last one."""
    if len(end.text) == _DATE_LENGTH and (last := _day(end.text)):
        last -= timedelta(days=1)
        first = _day(start.text)
        if first == last:
            return _time(start)
        return f"{_time(start)} to {last.isoformat()}"
    before, after = _time(start), _time(end)
    if before[:10] == after[:10] and before != after:
        zone = start.parameters.get("TZID", "") or before.rpartition(" ")[2]
        shown = before.removesuffix(f" {zone}")
        if after.endswith(f" {zone}"):
            return f"{shown} to {after[11:]}"
    return before if before == after else f"{before} to {after}"


def _day(text: str) -> date | None:
    try:
        return datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None


def _time(value: Property) -> str:
    return _written_time(value.text, value.parameters.get("TZID", ""))


def _times(value: Property) -> str:
    zone = value.parameters.get("TZID", "")
    return ", ".join(_written_time(each, zone) for each in value.values(","))


def _written_time(text: str, zone: str) -> str:
    found = _TIME.match(text)
    if found is None:
        return text
    year, month, day, hour, minute, _, utc = found.groups()
    written = f"{year}-{month}-{day}"
    if hour is None:
        return written
    return f"{written} {hour}:{minute} {'UTC' if utc else zone}".rstrip()


def _duration(text: str) -> str:
    found = _DURATION.fullmatch(text.strip().upper())
    if found is None:
        return text
    units = zip(("week", "day", "hour", "minute", "second"), found.groups()[1:], strict=True)
    return " ".join(_counted(int(count), unit) for unit, count in units if count) or text


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}{'' if count == 1 else 's'}"


def _rule(text: str) -> str:
    """Returns a rule of repetition as words, such as "every 2 weeks on Monday, 10 times"."""
    parts = {
        key.strip().upper(): value.strip()
        for key, _, value in (part.partition("=") for part in text.split(";"))
    }
    unit = _UNITS.get(parts.get("FREQ", "").upper())
    if unit is None:
        return text
    interval = parts.get("INTERVAL", "1")
    words = [f"every {unit}" if interval == "1" else f"every {interval} {unit}s"]
    if days := parts.get("BYDAY"):
        words.append(f"on {', '.join(_weekday(day) for day in days.split(','))}")
    if days := parts.get("BYMONTHDAY"):
        words.append(f"on day {days.replace(',', ', ')} of the month")
    if months := parts.get("BYMONTH"):
        words.append(f"in {', '.join(_month(month) for month in months.split(','))}")
    rule = " ".join(words)
    if count := parts.get("COUNT"):
        rule += f", {count} times"
    if until := parts.get("UNTIL"):
        rule += f", until {_written_time(until, '')}"
    return rule


def _weekday(text: str) -> str:
    text = text.strip().upper()
    name = _WEEKDAYS.get(text[-2:], text)
    number = text[:-2].removeprefix("+")
    if not number.removeprefix("-").isdecimal():
        return name
    return f"the {_ORDINALS.get(int(number), number)} {name}"


def _month(text: str) -> str:
    is_number = text.isdecimal() and 1 <= int(text) <= len(_MONTHS)
    return _MONTHS[int(text) - 1] if is_number else text


def _person(value: Property) -> str:
    address = value.text
    if address.lower().startswith("mailto:"):
        address = address[len("mailto:") :]
    name = value.parameters.get("CN", "").strip("'\" ")
    return f"{name} <{address}>" if name and name != address else address
