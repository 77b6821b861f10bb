"""Reads files of Word 6 to 2003 (``doc``, ``dot``)."""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from collections.abc import Iterator

from managed_sync.documents.parsing.markdown_writer import PAGE_BREAK, link
from managed_sync.documents.parsing.parsers.doc.binary import (
    BinaryFile,
    embedded_documents,
    open_binary,
)
from managed_sync.documents.parsing.parsers.doc.formats import Formats, ParagraphFormat
from managed_sync.documents.parsing.parsers.office.equation_fields import equation_of
from managed_sync.documents.parsing.parsers.office.package import reading
from managed_sync.documents.parsing.parsers.rtf.tables import Row, RowShape, rows_to_blocks
from managed_sync.documents.parsing.parsers.word.blocks import (
    SET,
    Block,
    add_running,
    flat,
    write_pages,
)
from managed_sync.documents.parsing.parsers.word.numbering import roman

__all__ = ["parse_doc"]

_REMOVED = "\uffff"
_MARKS = {"\x13", "\x14", "\x15", "\x07"}
_PARAGRAPH_END = re.compile("[\r\x07\x0c]")
_FIELD = re.compile("\x13([^\x13\x14\x15]*)(?:\x14([^\x13\x14\x15]*))?\x15")
# The result of a table of contents goes on in the paragraphs that follow.
_BEGUN_FIELD = re.compile("\x13[^\x13\x14\x15]*\x14")
_HYPERLINK = re.compile(r'\s*HYPERLINK\s+(?:\\[lmnot]\s*)?"?([^"\s]+)"?')
_CHARACTERS = str.maketrans(
    {"\x0b": "\n", "\x0e": "\n", "\x1e": "-", "\x1f": None, _REMOVED: None, "\xa0": "\xa0"}
    | dict.fromkeys(["\x00", "\x01", "\x02", "\x03", "\x04", "\x05", "\x06", "\x08"])
    | dict.fromkeys(["\x13", "\x14", "\x15"])
)
_MAX_NESTED_FIELDS = 20
_SEPARATORS = 6
_HEADERS, _FOOTERS = {0, 1, 4}, {2, 3, 5}
_COMMENT_SIZE = 30


def parse_doc(data: bytes, *, name: str) -> str:
    """Reads a Word file from before 2007; lists have bullets in place of their numbers.

    Word documents that are objects in the file follow its text.

    Raises:
        ParsingError: The file is damaged, protected, or older than Word 6.
        MissingExtraError: ``olefile`` is not installed.
    """
    with reading(name):
        text = _Document(open_binary(data, name=name)).markdown()
        inner = (
            _Document(each).markdown().replace(PAGE_BREAK, "").strip()
            for each in embedded_documents(data, name=name)
        )
        return "\n\n".join(part for part in (text, *inner) if part)


class _Document:
    def __init__(self, file: BinaryFile) -> None:
        self._file = file
        self._formats = Formats(file)
        self._text = self._without_removed()
        self._notes: dict[int, tuple[str, Block]] = {}

    def markdown(self) -> str:
        """Returns the text of the file as Markdown."""
        self._read_notes("footnote", "footnote_marks", "footnotes", 2)
        self._read_notes("endnote", "endnote_marks", "endnotes", 2)
        self._read_notes("comment", "comment_marks", "comments", _COMMENT_SIZE)
        blocks = [*self._blocks(*self._file.span("text"))]
        return write_pages(
            blocks,
            headers=self._running(_HEADERS),
            boxes=[*self._blocks(*self._file.span("boxes"))],
            footers=self._running(_FOOTERS),
        )

    def _without_removed(self) -> str:
        """Returns the text with a mark in place of what is hidden or deleted."""
        if not self._formats.removed:
            return self._file.text
        removed = self._formats.removed
        starts = [start for start, _ in removed]
        letters = [*self._file.text]
        for position, letter in enumerate(letters):
            offset = self._file.offset(position)
            index = bisect_left(starts, offset + 1) - 1
            if index >= 0 and offset < removed[index][1] and letter not in _MARKS:
                letters[position] = _REMOVED
        return "".join(letters)

    def _read_notes(self, kind: str, marks: str, texts: str, size: int) -> None:
        places = _positions(self._file.table(marks), size)
        start, end = self._file.span(texts)
        bounds = _positions(self._file.table(texts), 0)
        data = self._file.table(marks)[4 * (len(places) + 1) :]
        number = 0
        for index, place in enumerate(places):
            if index + 1 >= len(bounds):
                break
            low, high = start + bounds[index], min(start + bounds[index + 1], end)
            text = flat(self._blocks(low, high))
            if not text:
                continue
            number += 1
            if kind == "comment":
                author = _initials(data[index * size :])
                block = Block("comment", f"Comment{f' ({author})' if author else ''}: {text}")
                self._notes[place] = "", block
            elif kind == "footnote":
                self._notes[place] = f"[^{number}]", Block("footnote", f"[^{number}]: {text}")
            else:
                mark = f"[^{roman(number)}]"
                self._notes[place] = mark, Block("endnote", f"{mark}: {text}")

    def _running(self, kinds: set[int]) -> list[Block]:
        """Returns the headers or the footers, each once."""
        start, end = self._file.span("headers")
        bounds = _positions(self._file.table("headers"), 0)
        found: dict[str, Block] = {}
        # Word 6 has only those that there are, and says elsewhere which ones: all stand at the end.
        is_new = self._formats.are_known
        for index in range(_SEPARATORS if is_new else 0, len(bounds) - 1):
            if (index - _SEPARATORS) % 6 not in kinds if is_new else kinds is not _FOOTERS:
                continue
            low, high = start + bounds[index], min(start + bounds[index + 1], end)
            add_running(found, self._blocks(low, high))
        return [*found.values()]

    def _blocks(self, start: int, end: int) -> Iterator[Block]:
        rows: list[Row] = []
        row: list[list[Block]] = []
        cell: list[Block] = []
        for low, high, mark in _paragraphs(self._text, start, end):
            form = self._format(high, mark, row, low == high)
            if form.ends_row:
                rows.append(Row(form.shape or RowShape(), row))
                row = []
                continue
            blocks = self._paragraph(low, high, form)
            if mark == "\x07":
                row.append([*cell, *blocks])
                cell = []
            elif form.in_table or row:
                cell += blocks
            else:
                yield from rows_to_blocks(rows) if rows else ()
                rows = []
                if form.begins_page:
                    yield Block("page")
                yield from blocks
                if mark == "\x0c":
                    yield Block("page", label=SET)
        if cell:
            row.append(cell)
        if row:
            rows.append(Row(RowShape(), row))
        if rows:
            yield from rows_to_blocks(rows)

    def _format(
        self, position: int, mark: str, row: list[list[Block]], is_empty: bool
    ) -> ParagraphFormat:
        if self._formats.are_known:
            return self._formats.at(self._file.offset(position))
        # Without formats, an empty cell ends its row.
        is_cell = mark == "\x07"
        return ParagraphFormat(in_table=is_cell, ends_row=is_cell and is_empty and bool(row))

    def _paragraph(self, start: int, end: int, form: ParagraphFormat) -> list[Block]:
        following: list[Block] = []
        parts: list[str] = []
        last = start
        for place in range(start, end + 1) if self._notes else ():
            if place in self._notes:
                mark, block = self._notes.pop(place)
                parts += [self._text[last:place], mark]
                following.append(block)
                last = place
        text = _shown("".join([*parts, self._text[last:end]]))
        if not text:
            return following
        if form.level and not form.in_table:
            return [Block("heading", text, form.level), *following]
        if form.depth >= 0:
            return [Block("item", text, form.depth), *following]
        return [Block("paragraph", text), *following]


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yields where paragraphs begin and end, and the character that ends them."""
    for found in _PARAGRAPH_END.finditer(text, start, end):
        yield start, found.start(), found.group()
        start = found.end()
    if start < end:
        yield start, end, "\r"


def _shown(text: str) -> str:
    """Returns the text that Word shows: the results of fields, not their codes."""
    for _ in range(_MAX_NESTED_FIELDS):
        text, count = _FIELD.subn(_result, text)
        if not count:
            break
    text = _BEGUN_FIELD.sub("", text).translate(_CHARACTERS).strip()
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _result(found: re.Match[str]) -> str:
    code, result = found.groups()
    if result and (address := _HYPERLINK.match(code)) and "](" not in result:
        return link(result.translate(_CHARACTERS), address[1])
    return result or equation_of(code)


def _positions(table: bytes, size: int) -> list[int]:
    """Returns the positions in a table that has data of a size for each but the last one."""
    count = (len(table) - 4) // (4 + size) + (0 if size else 1)
    return [*struct.unpack_from(f"<{count}i", table)] if count > 0 else []


def _initials(data: bytes) -> str:
    length = int.from_bytes(data[:2], "little")
    return data[2 : 2 + 2 * length].decode("utf-16-le", "replace") if length < 10 else ""
