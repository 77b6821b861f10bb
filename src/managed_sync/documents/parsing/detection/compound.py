"""Looks into OLE compound files: Office files from before 2007, and messages of Outlook."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from managed_sync.documents.parsing.base import protected
from managed_sync.documents.parsing.detection.refusals import not_read
from managed_sync.documents.parsing.file_types import FileType
from managed_sync.errors import ParsingError

__all__ = ["damage_of_compound_file", "type_of_compound_file"]

_STREAMS = {
    "__properties_version1.0": FileType.MSG,
    "powerpoint document": FileType.PPT,
    "worddocument": FileType.DOC,
    "workbook": FileType.XLS,
    "book": FileType.XLS,
}
_ENCRYPTED = "encryptedpackage"
_VISIO = "visiodocument"
_HEADER_SIZE = 512
_SECTOR_SIZES = {9: 512, 12: 4096}
_IN_HEADER = 109
_ENTRY = 128
_TYPE_OF_ENTRY, _ROOT = 66, 5
_NOTHING = 0xFFFFFFF0  # and above: no sector, or no entry


def type_of_compound_file(data: bytes, name: str) -> FileType:
    """Returns the type of a compound file by the streams at its top.

    Documents embedded in others have their streams further below.

    Raises:
        ParsingError: The file is encrypted or damaged, or holds a format that is not read.
    """
    streams = _streams(data)
    if _ENCRYPTED in streams:
        raise protected(name)
    if _VISIO in streams:
        raise not_read(name, "application/vnd.visio")
    for stream, kind in _STREAMS.items():
        if stream in streams:
            return kind
    if damage := damage_of_compound_file(data):
        raise ParsingError(f"{name} is damaged: {damage}.")
    raise ParsingError(
        f"{name} has an old binary format that is not read; "
        "save it as .docx, .xlsx, .pptx or PDF to have it indexed."
    )


def damage_of_compound_file(data: bytes) -> str:
    """Returns what is wrong with the directory of a compound file; empty if it can be read."""
    try:
        size = _SECTOR_SIZES[struct.unpack_from("<H", data, 30)[0]]
        tables = [
            sector
            for sector in struct.unpack_from(f"<{_IN_HEADER}I", data, 76)
            if sector < _NOTHING
        ]
        (first,) = struct.unpack_from("<I", data, 48)
        if any(_start(sector + 1, size) > len(data) for sector in (first, *tables)):
            return "it is cut short"
        if _directory(data)[_TYPE_OF_ENTRY] == _ROOT:
            return ""
    except (struct.error, IndexError, KeyError):
        if len(data) < _HEADER_SIZE:
            return "it is cut short"
    return "the list of what is in it cannot be read"


def _streams(data: bytes) -> set[str]:
    """Returns the names at the top of a compound file, in small letters.

    A file whose directory is damaged may have them anywhere.
    """
    try:
        if found := set(_top_names(data)):
            return found
    except (struct.error, IndexError, KeyError):
        pass
    names = {*_STREAMS, _ENCRYPTED, _VISIO}
    lowered = data.lower()
    return {name for name in names if name.encode("utf-16-le") in lowered}


def _top_names(data: bytes) -> Iterator[str]:
    directory = _directory(data)

    def number(entry: int, offset: int) -> int:
        """Returns a number of an entry of the directory."""
        return int(struct.unpack_from("<I", directory, entry * _ENTRY + offset)[0])

    seen: set[int] = set()
    # The entries at one level form a binary tree, from the child of the root on.
    pending = [number(0, 76)]
    while pending:
        entry = pending.pop()
        if entry >= _NOTHING or entry in seen or (entry + 1) * _ENTRY > len(directory):
            continue
        seen.add(entry)
        start = entry * _ENTRY
        length = min(struct.unpack_from("<H", directory, start + 64)[0], 64)
        yield directory[start : start + length].decode("utf-16-le", "replace").rstrip("\0").lower()
        pending += [number(entry, 68), number(entry, 72)]


def _directory(data: bytes) -> bytes:
    """Returns the sectors of the directory, joined."""
    size = _SECTOR_SIZES[struct.unpack_from("<H", data, 30)[0]]
    table = _sectors_of_table(data, size)
    per_sector = size // 4
    sector = struct.unpack_from("<I", data, 48)[0]
    parts: list[bytes] = []
    while sector < _NOTHING and len(parts) <= len(data) // size:
        start = _start(sector, size)
        parts.append(data[start : start + size])
        in_table = _start(table[sector // per_sector], size) + 4 * (sector % per_sector)
        sector = struct.unpack_from("<I", data, in_table)[0]
    return b"".join(parts)


def _sectors_of_table(data: bytes, size: int) -> list[int]:
    """Returns the sectors of the table that tells the sector after each one."""
    sectors = list(struct.unpack_from(f"<{_IN_HEADER}I", data, 76))
    more = struct.unpack_from("<I", data, 68)[0]
    count = 0
    while more < _NOTHING and count <= len(data) // size:
        *listed, more = struct.unpack_from(f"<{size // 4}I", data, _start(more, size))
        sectors += listed
        count += 1
    return sectors


def _start(sector: int, size: int) -> int:
    return max(_HEADER_SIZE, size) + sector * size
