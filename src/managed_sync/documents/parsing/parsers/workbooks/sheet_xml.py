"""Reads the cells of a sheet in an ``.xlsx`` file from its XML, without building a tree of it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO
from xml.etree.ElementTree import ParseError
from xml.parsers import expat

from managed_sync.documents.parsing.parsers.office.number_formats.formats import NumberFormat
from managed_sync.documents.parsing.parsers.workbooks.cells import (
    MAX_ROWS,
    CellRange,
    cell_position,
    cell_range,
    unescape,
)
from managed_sync.documents.parsing.parsers.workbooks.sheets import Figure, Row
from managed_sync.errors import ParsingError

__all__ = ["SheetXml", "read_strings"]

_BLOCK = 256 * 1024
# Integers that a program wrote with more digits than Excel keeps.
_INTEGER = re.compile(r"-?[1-9]\d{0,19}")
_HYPERLINK = re.compile(r'\s*HYPERLINK\(\s*"((?:[^"]|"")*)"', re.IGNORECASE)
_MARGINS = {
    *("oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter"),
}
_EPOCH = datetime.datetime(1899, 12, 30)


class _LocalNames(dict[str, str]):
    """The names of tags without their namespaces."""

    def __missing__(self, tag: str) -> str:
        name = self[tag] = tag.rpartition("|")[2]
        return name


def read_strings(stream: IO[bytes]) -> list[str]:
    """Returns the texts that cells refer to, without the readings above Japanese text."""
    strings: list[str] = []
    parts: list[str] = []
    names = _LocalNames()
    # Tells whether letters are text: inside of "t", and not inside of "rPh".
    state = {"t": 0, "rPh": 0}

    def start(tag: str, _: dict[str, str]) -> None:
        """Opens an element; a new text begins with ``si``."""
        name = names[tag]
        if name == "si":
            parts.clear()
        elif name in state:
            state[name] += 1

    def end(tag: str) -> None:
        """Closes an element; a text ends with ``si``."""
        name = names[tag]
        if name == "si":
            strings.append(unescape("".join(parts)))
        elif name in state:
            state[name] -= 1

    def data(text: str) -> None:
        """Collects the letters of a text."""
        if state["t"] and not state["rPh"]:
            parts.append(text)

    _parse(stream, start, end, data)
    return strings


@dataclass
class SheetXml:
    """The cells and links in the XML of a sheet.

    Args:
        strings: The texts that cells refer to.
        formats: The number formats of the cells' styles.

    Attributes:
        rows: The shown text of cells, by row and column.
        links: Ranges with the ids of their relationships.
        targets: The targets of links that formulas make, by cell.
        margins: The headers and footers of printed pages, with their codes.
    """

    strings: Sequence[str]
    formats: Sequence[NumberFormat]
    rows: dict[int, Row] = field(default_factory=dict)
    links: list[tuple[CellRange, str]] = field(default_factory=list)
    targets: dict[tuple[int, int], str] = field(default_factory=dict)

    margins: list[str] = field(default_factory=list)

    _names: _LocalNames = field(default_factory=_LocalNames)
    _columns: dict[str, int] = field(default_factory=dict)
    _row_number: str = ""
    _row: int = 0
    _column: int = 0
    _kind: str = "n"
    _style: int = 0
    _parts: list[str] = field(default_factory=list)
    _formula: list[str] = field(default_factory=list)
    _into: list[str] | None = None
    _in_reading: bool = False

    def read(self, stream: IO[bytes]) -> None:
        """Reads the whole sheet.

        Raises:
            ParsingError: It declares entities.
            ParseError: It is not well formed.
        """
        _parse(stream, self._start, self._end, self._data)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        match self._names[tag]:
            case "c":
                self._column += 1
                if at := attributes.get("r"):
                    self._move_to(at)
                self._kind = attributes.get("t", "n")
                style = attributes.get("s", "")
                self._style = int(style) if style.isdigit() else 0
                self._parts = []
                self._formula = []
            case "v" | "t" if not self._in_reading:
                self._into = self._parts
            case "f":
                self._into = self._formula
            case "rPh":
                self._in_reading = True
            case "row":
                number = attributes.get("r", "")
                self._row = min(int(number), MAX_ROWS) if number.isdecimal() else self._row + 1
                self._row_number = str(self._row)
                self._column = 0
            case tag if tag in _MARGINS:
                self._parts = []
                self._into = self._parts
            case "hyperlink":
                # The key of the id has the namespace of relationships, transitional or Strict.
                key = next((key for key in attributes if key.endswith("|id")), "")
                if key and (where := cell_range(attributes.get("ref", ""))):
                    self.links.append((where, attributes[key]))

    def _move_to(self, reference: str) -> None:
        letters = reference.rstrip("0123456789")
        if (column := self._columns.get(letters)) and reference[len(letters) :] == self._row_number:
            self._column = column
        elif position := cell_position(reference):
            self._row, self._column = position
            self._columns[letters] = self._column

    def _end(self, tag: str) -> None:
        tag = self._names[tag]
        if tag == "c":
            if self._parts:
                self._finish_cell("".join(self._parts))
        elif tag in {"v", "t", "f"}:
            self._into = None
        elif tag == "rPh":
            self._in_reading = False
        elif tag in _MARGINS:
            self._into = None
            self.margins.append("".join(self._parts))

    def _data(self, text: str) -> None:
        if self._into is not None:
            self._into.append(text)

    def _finish_cell(self, value: str) -> None:
        text = self._shown(value)
        if not text or text.isspace():
            return
        self.rows.setdefault(self._row, {})[self._column] = text
        if self._formula and (found := _HYPERLINK.match("".join(self._formula))):
            self.targets[self._row, self._column] = found[1].replace('""', '"')

    def _shown(self, value: str) -> str:
        format_ = self.formats[self._style] if self._style < len(self.formats) else None
        match self._kind:
            case "s":
                index = int(value) if value.strip().isdigit() else -1
                text = self.strings[index] if 0 <= index < len(self.strings) else ""
                return format_.show_text(text) if format_ and text else text
            case "str" | "inlineStr":
                text = unescape(value)
                return format_.show_text(text) if format_ and text else text
            case "b":
                return Figure("FALSE" if value.strip() in {"0", "false"} else "TRUE")
            case "e":
                return Figure(value)
            case "d":
                return _shown_date(value.strip(), format_)
        return shown_number(value.strip(), format_)


def shown_number(value: str, format_: NumberFormat | None) -> str:
    """Returns a number as its format shows it; a value that is no number stays as it is."""
    if format_ is None or (format_.is_general and _INTEGER.fullmatch(value)):
        return Figure(value)
    try:
        return Figure(format_.show(float(value)))
    except (ValueError, OverflowError, ArithmeticError):
        return Figure(value)


def _shown_date(value: str, format_: NumberFormat | None) -> str:
    """Returns a date that is written as one, as its format shows it."""
    try:
        moment = datetime.datetime.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        return Figure(value)
    if format_ is None or not format_.is_date():
        return Figure(value.removesuffix("T00:00:00"))
    days = (moment - _EPOCH) / datetime.timedelta(days=1)
    return Figure(format_.show_date(days))


def _parse(
    stream: IO[bytes],
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    data: Callable[[str], None],
) -> None:
    """Calls the functions for each element."""
    parser = expat.ParserCreate(namespace_separator="|")

    def refuse(*_: object) -> None:
        """Refuses a declaration of an entity."""
        raise ParsingError("the XML in it declares entities, as malicious files do")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = data
    parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    try:
        while block := stream.read(_BLOCK):
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise ParseError(str(error)) from error
