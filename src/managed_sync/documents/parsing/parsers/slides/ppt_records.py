"""Splits the stream of a ``.ppt`` presentation into records, and finds its slides and notes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Document", "Listed", "Record", "children", "descendants"]

_HEAD = struct.Struct("<HHI")
_CONTAINER = 0xF
# Its bytes are records, though it is no container by its head.
_BINARY_TAG = 5003
_SLIDE_LISTS, _PERSIST_ATOM, _DOCUMENT = 4080, 1011, 1000
_USER_EDIT, _PERSIST_DIRECTORY = 4085, 6002
_MAX_EDITS = 10_000


class Record(NamedTuple):
    """A record: its type, the number that tells it from others of the type, and its place."""

    kind: int
    instance: int
    is_container: bool
    start: int
    end: int


@dataclass
class Listed:
    """A slide or a page of notes in the document's list of them.

    Attributes:
        key: Its number in the directory of the file.
        id: The number that other records name it by.
        texts: The records of its texts that the list holds.
    """

    key: int
    id: int
    texts: list[Record] = field(default_factory=list)


def _record_at(data: bytes, at: int, end: int) -> Record | None:
    """Returns the record at an offset, cut at the end of the data; ``None`` without a record."""
    if at < 0 or at + _HEAD.size > end:
        return None
    head, kind, size = _HEAD.unpack_from(data, at)
    start = at + _HEAD.size
    is_container = head & 0xF == _CONTAINER or kind == _BINARY_TAG
    return Record(kind, head >> 4, is_container, start, min(start + size, end))


def children(data: bytes, start: int, end: int) -> Iterator[Record]:
    """Yields the records between two offsets."""
    while record := _record_at(data, start, end):
        yield record
        start = record.end


def descendants(data: bytes, parent: Record) -> Iterator[Record]:
    """Yields the records inside a record, at any depth, in the order of the file."""
    stack = [children(data, parent.start, parent.end)]
    while stack:
        record = next(stack[-1], None)
        if record is None:
            stack.pop()
            continue
        yield record
        if record.is_container:
            stack.append(children(data, record.start, record.end))


class Document:
    """The document's stream.

    Args:
        data: The stream.
        newest: The place of the record of the newest edit, as the current user's stream says.
    """

    def __init__(self, data: bytes, newest: int) -> None:
        self._data = data
        self._places: dict[int, int] = {}
        self.root = self._root(newest)

    def record(self, listed: Listed) -> Record | None:
        """Returns the record of a slide or of notes."""
        place = self._places.get(listed.key)
        return None if place is None else _record_at(self._data, place, len(self._data))

    def listed(self, instance: int) -> list[Listed]:
        """Returns the slides (0) or the notes (2) in their order."""
        found: list[Listed] = []
        lists = [one for one in self._children(self.root) if one.kind == _SLIDE_LISTS]
        for record in (
            one for each in lists if each.instance == instance for one in self._children(each)
        ):
            if record.kind == _PERSIST_ATOM and record.end - record.start >= 16:
                key, _, _, number = struct.unpack_from("<4I", self._data, record.start)
                found.append(Listed(key, number))
            elif found:
                found[-1].texts.append(record)
        return found

    def _children(self, record: Record | None) -> Iterator[Record]:
        if record is not None:
            yield from children(self._data, record.start, record.end)

    def _root(self, newest: int) -> Record | None:
        """Reads the directory of all edits, and returns the record of the document."""
        key = None
        at = newest
        for _ in range(_MAX_EDITS):
            edit = _record_at(self._data, at, len(self._data))
            if edit is None or edit.kind != _USER_EDIT or edit.end - edit.start < 20:
                break
            before, directory, root = struct.unpack_from("<3I", self._data, edit.start + 8)
            self._read_directory(directory)
            key = root if key is None else key
            if not before or before >= at:
                break
            at = before
        if key in self._places:
            return _record_at(self._data, self._places[key], len(self._data))
        found = children(self._data, 0, len(self._data))
        return next((one for one in found if one.kind == _DOCUMENT), None)

    def _read_directory(self, at: int) -> None:
        record = _record_at(self._data, at, len(self._data))
        if record is None or record.kind != _PERSIST_DIRECTORY:
            return
        words = struct.unpack_from(
            f"<{(record.end - record.start) // 4}I", self._data, record.start
        )
        index = 0
        while index < len(words):
            first, count = words[index] & 0xFFFFF, words[index] >> 20
            for number, place in enumerate(words[index + 1 : index + 1 + count]):
                # The newest edit comes first.
                self._places.setdefault(first + number, place)
            index += 1 + count
