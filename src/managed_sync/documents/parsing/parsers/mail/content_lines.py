"""Reads the lines of calendars and contacts, which have one syntax (RFC 5545, RFC 6350)."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from managed_sync.documents.parsing.parsers.mail.charsets import decode_as
from managed_sync.errors import ParsingError

__all__ = ["Component", "Property", "components"]

_FOLD = re.compile(r"\r?\n[ \t]|\r[ \t]")
# "NAME;PARAMETER=VALUE;PARAMETER="VALUE":CONTENT", with a group before the name in contacts.
_LINE = re.compile(
    r"(?:[A-Za-z0-9_-]{1,60}\.)?(?P<name>[A-Za-z0-9_-]{1,60})"
    r"(?P<parameters>(?:;[^;:\"]{0,200}(?:\"[^\"]{0,500}\"[^;:\"]{0,200})*)*):(?P<value>.*)",
    re.DOTALL,
)
_PARAMETER = re.compile(r";([^=;\"]+)(?:=((?:[^;\"]|\"[^\"]*\")*))?")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SPLIT = {separator: re.compile(rf"(?<!\\){separator}") for separator in ";,"}
_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class Property:
    """One line of a component.

    Attributes:
        name: Its name, in capitals.
        value: Its value, with escapes.
        parameters: Its parameters, with names in capitals.
    """

    name: str
    value: str
    parameters: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The value as text."""
        return _unescaped(self.value).strip()

    def values(self, separator: str = ";") -> list[str]:
        """Returns the parts of a value such as a name or an address."""
        return [_unescaped(each).strip() for each in _SPLIT[separator].split(self.value)]


@dataclass(slots=True)
class Component:
    """An event, a contact, or another thing between ``BEGIN`` and ``END``.

    Attributes:
        kind: Its kind, in capitals, such as ``VEVENT``.
        properties: Its lines.
        components: The components in it.
    """

    kind: str
    properties: list[Property] = field(default_factory=list)
    components: list[Component] = field(default_factory=list)

    def all(self, *names: str) -> Iterator[Property]:
        """Yields the lines with one of these names that have a value."""
        return (each for each in self.properties if each.name in names and each.text)

    def text(self, name: str) -> str:
        """Returns the value of the first line with this name, empty without such a line."""
        return next((each.text for each in self.all(name)), "")

    def find(self, *kinds: str) -> Iterator[Component]:
        """Yields the components of these kinds, at any depth."""
        for each in self.components:
            if each.kind in kinds:
                yield each
            yield from each.find(*kinds)


def components(text: str) -> Component:
    """Returns a root that holds the components of a text, including unfinished ones."""
    root = Component("")
    inside = [root]
    for line in _lines(text):
        found = _property(line)
        if found is None:
            continue
        if found.name == "BEGIN":
            component = Component(found.value.strip().upper())
            inside[-1].components.append(component)
            if len(inside) < _MAX_DEPTH:
                inside.append(component)
        elif found.name == "END":
            kind = found.value.strip().upper()
            while len(inside) > 1 and inside.pop().kind != kind:
                pass
        else:
            inside[-1].properties.append(found)
    return root


def _lines(text: str) -> Iterator[str]:
    """Yields the unfolded lines; a line of an old contact that continues ends in "="."""
    going_on: list[str] = []
    for line in _FOLD.sub("", text).splitlines():
        head = going_on[0] if going_on else line
        going_on.append(line)
        is_quoted = "QUOTED-PRINTABLE" in head[:200].upper()
        if is_quoted and line.endswith("=") and len(going_on) < 10_000:
            continue
        yield "\n".join(going_on)
        going_on = []
    if going_on:
        yield "\n".join(going_on)


def _property(line: str) -> Property | None:
    found = _LINE.match(line)
    if found is None:
        return None
    parameters: dict[str, str] = {}
    for name, stated in _PARAMETER.findall(found["parameters"]):
        # Contacts of old versions have values without names: "TEL;HOME;FAX".
        key, each = (name.strip().upper(), stated.strip('"')) if stated else ("TYPE", name)
        parameters[key] = f"{parameters[key]},{each}" if key in parameters else each
    value = found["value"]
    if "QUOTED-PRINTABLE" in parameters.get("ENCODING", parameters.get("TYPE", "")).upper():
        value = _quoted(value, parameters.get("CHARSET", ""))
    return Property(found["name"].upper(), value, parameters)


def _quoted(value: str, charset: str) -> str:
    data = quopri.decodestring(value.encode("utf-8", "surrogateescape"))
    try:
        return decode_as(data, charset, name="A contact").replace("\r\n", "\n")
    except ParsingError:
        return value


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found.group(1) in "nN" else found.group(1), value)
