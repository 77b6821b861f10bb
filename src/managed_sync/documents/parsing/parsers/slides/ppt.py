"""Reads ``.ppt`` presentations, which PowerPoint wrote before 2007.

The text of slides, their notes, comments and footers is read, and the descriptions of pictures.
Tables in this format are groups of text boxes, so their cells are paragraphs.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from managed_sync.documents.parsing.base import missing_parser, protected, unreadable
from managed_sync.documents.parsing.markdown_writer import (
    heading,
    join_blocks,
    join_pages,
    list_item,
    paragraph,
)
from managed_sync.documents.parsing.parsers.slides.ppt_records import (
    Document,
    Listed,
    Record,
    children,
    descendants,
)
from managed_sync.errors import ParsingError

__all__ = ["parse_ppt"]

_ENCRYPTED = b"\xdf\xc4\xd1\xf3"
_TEXT_HEADER, _TEXT_WIDE, _TEXT_BYTES, _OUTLINE_TEXT = 3999, 4000, 4008, 3998
_SLIDE_ATOM, _PLACEHOLDER, _TEXT, _COMMENT, _FOOTERS = 1007, 3011, 4026, 12000, 4057
_SHAPE, _PROPERTIES = 0xF004, 0xF00B
_TITLES, _BODIES = {0, 6}, {1, 7, 8}
# Dates, numbers of slides, footers and headers, of slides and of masters.
_REPEATED = {7, 8, 9, 10}
_DESCRIPTION = 897
_IS_COMPLEX = 0x8000


@dataclass(frozen=True)
class _Text:
    kind: int
    words: str


def parse_ppt(data: bytes, *, name: str) -> str:
    """Reads a presentation, with a page for each slide.

    Raises:
        ParsingError: The file is damaged or protected.
        MissingExtraError: ``olefile`` is not installed.
    """
    try:
        import olefile  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as file:
            if not file.exists("Current User") or not file.exists("PowerPoint Document"):
                raise ParsingError(
                    f"{name} is damaged or older than PowerPoint 97; "
                    "save it as .pptx or PDF to have it indexed."
                )
            user = file.openstream("Current User").read()
            stream = file.openstream("PowerPoint Document").read()
    except ParsingError:
        raise
    except Exception as error:
        # olefile fails with errors of all kinds on damaged files.
        raise unreadable(name, error) from error
    if user[12:16] == _ENCRYPTED:
        raise protected(name)
    newest = int.from_bytes(user[16:20], "little")
    return join_pages(page for page in _Reader(stream, newest).pages() if page)


class _Reader:
    def __init__(self, data: bytes, newest: int) -> None:
        self._data = data
        self._document = Document(data, newest)

    def pages(self) -> Iterator[str]:
        """Yields the slides."""
        notes = {one.id: one for one in self._document.listed(2)}
        footer = self._footer()
        for listed in self._document.listed(0):
            slide = self._document.record(listed)
            if slide is None:
                # The list of slides has their main texts, too, if the directory is damaged.
                texts = self._runs(listed.texts)
                yield join_blocks(block for text in texts for block in _blocks(text))
                continue
            yield join_blocks([*self._slide(slide, listed, notes), footer])
            footer = ""

    def _slide(self, slide: Record, listed: Listed, notes: dict[int, Listed]) -> Iterator[str]:
        title = ""
        blocks: list[str] = []
        for text in self._texts(slide, listed):
            if text.kind in _TITLES and not title:
                title = text.words
            else:
                blocks += _blocks(text)
        yield heading(title, 1)
        yield from blocks
        page = notes.get(self._notes_of(slide))
        record = self._document.record(page) if page else None
        if page and record:
            texts = self._texts(record, page)
            spoken = join_blocks(block for one in texts for block in _blocks(one))
            yield f"Notes: {spoken}" if spoken else ""
        yield from self._comments(slide)

    def _texts(self, slide: Record, listed: Listed) -> Iterator[_Text]:
        """Yields the texts and descriptions of a slide's shapes, in the order of the file."""
        outline = list(self._runs(listed.texts))
        for shape in descendants(self._data, slide):
            if shape.kind != _SHAPE:
                continue
            inside = list(descendants(self._data, shape))
            kinds = {self._bytes(one)[4] for one in inside if self._is_placeholder(one)}
            if kinds & _REPEATED:
                continue
            for record in inside:
                if record.kind == _PROPERTIES and (description := self._description(record)):
                    yield _Text(-1, description)
                elif record.kind == _OUTLINE_TEXT and record.end - record.start >= 4:
                    number = int.from_bytes(self._bytes(record)[:4], "little")
                    if number < len(outline):
                        yield outline[number]
            yield from (text for text in self._runs(inside) if text.words.strip(" *\r"))

    def _is_placeholder(self, record: Record) -> bool:
        return record.kind == _PLACEHOLDER and record.end - record.start >= 5

    def _runs(self, records: list[Record]) -> Iterator[_Text]:
        """Yields the texts among records, each with the kind that stands before it."""
        kind: int | None = None
        words = ""
        for record in records:
            if record.kind == _TEXT_HEADER:
                if kind is not None:
                    yield _Text(kind, words)
                kind, words = int.from_bytes(self._bytes(record)[:4], "little"), ""
            elif record.kind == _TEXT_WIDE:
                words += self._bytes(record).decode("utf-16-le", "replace")
            elif record.kind == _TEXT_BYTES:
                words += self._bytes(record).decode("latin-1")
        if kind is not None or words:
            yield _Text(-1 if kind is None else kind, words)

    def _notes_of(self, slide: Record) -> int:
        for record in children(self._data, slide.start, slide.end):
            if record.kind == _SLIDE_ATOM and record.end - record.start >= 20:
                return int.from_bytes(self._bytes(record)[16:20], "little")
        return 0

    def _comments(self, slide: Record) -> Iterator[str]:
        for record in descendants(self._data, slide):
            if record.kind == _COMMENT:
                texts = self._strings(record)
                author, words = texts.get(0, ""), texts.get(1, "")
                if words.strip():
                    yield paragraph(
                        f"Comment ({author}): {words}" if author else f"Comment: {words}"
                    )

    def _footer(self) -> str:
        """Returns the footer that all slides have."""
        root = self._document.root
        for record in children(self._data, root.start, root.end) if root else ():
            if record.kind == _FOOTERS and record.instance == 3:
                return paragraph(self._strings(record).get(2, ""))
        return ""

    def _strings(self, record: Record) -> dict[int, str]:
        return {
            one.instance: self._bytes(one).decode("utf-16-le", "replace")
            for one in children(self._data, record.start, record.end)
            if one.kind == _TEXT
        }

    def _description(self, record: Record) -> str:
        """Returns the description among the properties of a shape."""
        data = self._bytes(record)
        at = 6 * record.instance
        for number in range(min(record.instance, len(data) // 6)):
            key, value = struct.unpack_from("<HI", data, 6 * number)
            if key & _IS_COMPLEX:
                if key & 0x3FFF == _DESCRIPTION:
                    return data[at : at + value].decode("utf-16-le", "replace").rstrip("\0")
                at += value
        return ""

    def _bytes(self, record: Record) -> bytes:
        return self._data[record.start : record.end]


def _blocks(text: _Text) -> Iterator[str]:
    # A vertical tab is a line break within a paragraph.
    for line in text.words.split("\r"):
        yield list_item(line) if text.kind in _BODIES else paragraph(line.replace("\v", "\n"))
