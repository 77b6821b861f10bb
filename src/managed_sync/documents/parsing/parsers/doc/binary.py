"""Finds the text in a Word file from before 2007, and the tables that say what its places are.

The file's header ("FIB") has a list of pairs, a position and a size, of tables in another stream.
Positions in the text are character positions; the pieces of the text say which bytes these are.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from managed_sync.documents.parsing.base import missing_parser, protected
from managed_sync.documents.parsing.detection.compound import damage_of_compound_file
from managed_sync.errors import ParsingError

__all__ = ["BinaryFile", "embedded_documents", "open_binary"]

_WORD_97 = 0xA5EC
# The editions of Word 95 for East Asia have two bytes for each character.
_WORD_95_EAST = {0xA697, 0xA698, 0xA699}
_WORD_6 = {0xA5DC, 0xA5DB, *_WORD_95_EAST}
_COMPLEX, _ENCRYPTED, _SECOND_TABLE = 0x0004, 0x0100, 0x0200
_COMPRESSED = 0x40000000
_STREAMS = ("WordDocument", "0Table", "1Table")
_OBJECTS = "ObjectPool"
_MOST_EMBEDDED = 100
# The texts in a file, in the order in which they follow each other.
_SUBDOCUMENTS = ("text", "footnotes", "headers", "macros", "comments", "endnotes", "boxes", "hbox")
_TABLES_97 = {
    "styles": 0xA2,
    "footnote_marks": 0xAA,
    "footnotes": 0xB2,
    "comment_marks": 0xBA,
    "comments": 0xC2,
    "headers": 0xF2,
    "characters": 0xFA,
    "paragraphs": 0x102,
    "pieces": 0x1A2,
    "endnote_marks": 0x20A,
    "endnotes": 0x212,
}
# Word 6 and 95 keep formats in another form, which is not read.
_TABLES_6 = {
    "footnote_marks": 0x68,
    "footnotes": 0x70,
    "headers": 0xB0,
    "pieces": 0x160,
}
_CODEPAGES = {
    0x01: "cp1256",
    0x04: "gbk",
    0x05: "cp1250",
    0x08: "cp1253",
    0x0D: "cp1255",
    0x0E: "cp1250",
    0x11: "cp932",
    0x12: "cp949",
    0x15: "cp1250",
    0x18: "cp1250",
    0x19: "cp1251",
    0x1B: "cp1250",
    0x1E: "cp874",
    0x1F: "cp1254",
    0x22: "cp1251",
}


class _Piece(NamedTuple):
    start: int
    length: int
    offset: int
    width: int


@dataclass(frozen=True)
class BinaryFile:
    """A Word file from before 2007.

    Attributes:
        main: The stream with the text and most formats.
        text: All its texts, one after another; every character is one position.
        lengths: The length of each of its texts: body, footnotes, headers and others.
    """

    main: bytes
    text: str
    lengths: tuple[int, ...]
    _tables: bytes
    _places: dict[str, int]
    _pieces: tuple[_Piece, ...]

    def table(self, name: str) -> bytes:
        """Returns a table; none if the file has no such table."""
        place = self._places.get(name)
        return b"" if place is None else _at(self.main, self._tables, place)

    def span(self, name: str) -> tuple[int, int]:
        """Returns the start and the end of a text such as ``"footnotes"``."""
        index = _SUBDOCUMENTS.index(name)
        start = sum(self.lengths[:index])
        return start, min(start + self.lengths[index], len(self.text))

    def offset(self, position: int) -> int:
        """Returns the place in the file of a character, by which formats are kept."""
        index = bisect_right(self._pieces, position, key=lambda piece: piece.start) - 1
        piece = self._pieces[max(index, 0)]
        return piece.offset + (position - piece.start) * piece.width


def open_binary(data: bytes, *, name: str) -> BinaryFile:
    """Opens a file of Word 6 to 2003.

    Raises:
        ParsingError: It is protected, damaged, or older.
        MissingExtraError: ``olefile`` is not installed.
    """
    streams = _streams(data, name)
    if len(streams.get("WordDocument", b"")) < 0x200:
        damage = damage_of_compound_file(data) or "it has no document in it"
        raise ParsingError(f"{name} is damaged: {damage}.")
    return _opened(streams, name)


def embedded_documents(data: bytes, *, name: str) -> Iterator[BinaryFile]:
    """Yields the Word documents that are objects in a file; those in such objects are left out."""
    import olefile  # noqa: PLC0415 - comes with an extra

    with olefile.OleFileIO(io.BytesIO(data)) as file:
        objects = {path[1] for path in file.listdir() if path[0] == _OBJECTS and len(path) == 3}
        for each in sorted(objects)[:_MOST_EMBEDDED]:
            # The file itself has been read, and shows its other parts.
            with suppress(Exception):
                yield _opened(_read(file, f"{_OBJECTS}/{each}/"), name)


def _opened(streams: dict[str, bytes], name: str) -> BinaryFile:
    main = streams["WordDocument"]
    magic, _, _, language = struct.unpack_from("<4H", main)
    (flags,) = struct.unpack_from("<H", main, 0x0A)
    if magic != _WORD_97 and magic not in _WORD_6:
        raise ParsingError(
            f"{name} has a format from before Word 6; save it as .docx to have it indexed."
        )
    if flags & _ENCRYPTED:
        raise protected(name)
    is_new = magic == _WORD_97
    tables = streams.get("1Table" if flags & _SECOND_TABLE else "0Table", b"") if is_new else main
    places = _TABLES_97 if is_new else _TABLES_6
    lengths = struct.unpack_from("<8i", main, 0x4C if is_new else 0x34)
    clx = _at(main, tables, places["pieces"]) if is_new or flags & _COMPLEX else b""
    width = 0 if is_new else 2 if magic in _WORD_95_EAST else 1
    pieces = _pieces(clx, width) or _one_piece(main, sum(map(_positive, lengths)), width or 1)
    codec = "cp1252" if is_new else _CODEPAGES.get(language & 0x3FF, "cp1252")
    return BinaryFile(
        main=main,
        text="".join(_decoded(main, piece, codec) for piece in pieces),
        lengths=tuple(map(_positive, lengths)),
        _tables=tables,
        _places=places,
        _pieces=pieces,
    )


def _streams(data: bytes, name: str) -> dict[str, bytes]:
    try:
        import olefile  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as file:
            return _read(file, "")
    except Exception as error:
        damage = damage_of_compound_file(data) or "it is cut short, or parts of it are missing"
        raise ParsingError(f"{name} is damaged: {damage}.") from error


def _read(file: Any, folder: str) -> dict[str, bytes]:
    paths = {stream: f"{folder}{stream}" for stream in _STREAMS}
    return {
        stream: file.openstream(path).read() for stream, path in paths.items() if file.exists(path)
    }


def _pieces(clx: bytes, width: int) -> tuple[_Piece, ...]:
    """Reads the table of pieces, which follows any number of formats.

    Args:
        clx: The formats and the table.
        width: The bytes of a character; 0 if each piece says it.
    """
    at = 0
    while at + 3 <= len(clx) and clx[at] == 1:
        at += 3 + int.from_bytes(clx[at + 1 : at + 3], "little")
    if at + 5 > len(clx) or clx[at] != 2:
        return ()
    size = int.from_bytes(clx[at + 1 : at + 5], "little")
    table = clx[at + 5 : at + 5 + size]
    count = (len(table) - 4) // 12
    positions = struct.unpack_from(f"<{count + 1}i", table) if count > 0 else ()
    pieces = []
    end = 0
    for index in range(count):
        start, until = positions[index], positions[index + 1]
        if start != end or until < start:  # damaged from here on
            break
        (place,) = struct.unpack_from("<I", table, 4 * (count + 1) + 8 * index + 2)
        if width:
            pieces.append(_Piece(start, until - start, place, width))
        elif place & _COMPRESSED:
            pieces.append(_Piece(start, until - start, (place & ~_COMPRESSED) // 2, 1))
        else:
            pieces.append(_Piece(start, until - start, place, 2))
        end = until
    return tuple(pieces)


def _one_piece(main: bytes, length: int, width: int) -> tuple[_Piece, ...]:
    (start,) = struct.unpack_from("<I", main, 0x18)
    return (_Piece(0, length, start, width),)


def _decoded(main: bytes, piece: _Piece, codec: str) -> str:
    length = min(piece.length, max(0, len(main) - piece.offset) // piece.width)
    data = main[piece.offset : piece.offset + length * piece.width]
    if piece.width == 1:
        text = data.decode(codec, "replace")
        # A character of two bytes would move all positions behind it.
        return text if len(text) == length else text.ljust(length, "\uffff")
    return "".join(map(chr, struct.unpack(f"<{length}H", data)))


def _at(main: bytes, tables: bytes, place: int) -> bytes:
    if place + 8 > len(main):
        return b""
    start, size = struct.unpack_from("<II", main, place)
    return tables[start : start + size]


def _positive(length: int) -> int:
    return max(0, length)
