"""Reads the files inside of a file: attachments of e-mail, and members of archives.

Guarantees:

- A part that cannot be read stops neither its file nor the other parts: the text of the file names
  the part and the reason.
- The number of parts, their depth, their bytes, their text and the time for them are bounded. The
  bytes are bounded over all layers together, by the size of the outermost file: an archive in an
  archive in an archive unpacks to no more than a single one.
- A name in an archive or an e-mail is only a label: no file is written, and none outside is read.

See ``docs/decisions/0037-documents-parts.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from managed_sync.documents.model import FilePart
from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.base import ParsedFile, reporting_damage, run_parser
from managed_sync.documents.parsing.part_names import (
    UNKNOWN_TYPE,
    label,
    media_type_by,
    shortened_path,
    title_of,
)
from managed_sync.errors import ManagedSyncError, NotTextError, ParsingError

__all__ = [
    "ALL_PARTS",
    "MAX_UNPACKED",
    "Container",
    "Member",
    "PartsReader",
    "PartsRequest",
    "TooLargeError",
    "bounded",
    "parts_request",
    "too_large",
    "unpacked_limit",
]

ALL_PARTS = ""
"""The key of ``PartsRequest.skipped`` that stands for every part."""

MAX_DEPTH = 5
MAX_PARTS = 1_000
MAX_UNPACKED = 1024**3
# Up to so many bytes, it does not matter by how much a file grows.
HARMLESS = 64 * 1024**2
MAX_RATIO = 100
# Texts travel to the program in one piece, and wait there for the index.
MAX_CHARACTERS = 64 * 1024**2
# The rest of the time is for the part under way, and for the answer.
SHARE_OF_TIME = 0.5

_UNNAMED = "unnamed"
_OVER = "the time for this file was over"


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside of another one, before it is read.

    Attributes:
        name: Its path in the file, as the file states it.
        read: Returns its bytes; given the number of bytes that it may have at most. It raises a
            ``DocumentError`` if there are more, or if they cannot be read.
        open: Opens it, in place of ``read``, if it is no file of its own.
        content_type: Its type, if the file states it.
        title: Its title, if that is not the last part of its path.
    """

    name: str
    read: Callable[[int], bytes] | None = None
    content_type: str = ""
    title: str = ""
    open: Callable[[], Container] | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """A file that holds other files.

    Attributes:
        text: Its own text, as Markdown.
        members: The files in it, in order; an iterator may raise a ``DocumentError``.
        noun: The word for a file in it.
        folder: The first part of the paths of its files, such as ``attachments``.
        lists_members: Whether to add a list of the files to its text.
    """

    text: str
    members: Iterable[Member] = ()
    noun: str = "File"
    folder: str = ""
    lists_members: bool = False


class _FileReader(Protocol):
    def __call__(
        self, data: bytes, content_type: str, filename: str, parts: PartsReader, /
    ) -> str: ...


@dataclass(frozen=True, slots=True)
class PartsRequest:
    """The wishes of the process that asked for a file, about the parts of it.

    Attributes:
        seconds: The time limit of the whole file; 0 for none.
        skipped: Paths of parts that are not to be read, with the reasons.
        on_part: Called with the path of each part before it is read.
    """

    seconds: float = 0.0
    skipped: Mapping[str, str] = field(default_factory=dict)
    on_part: Callable[[str], None] | None = None


_NO_REQUEST = PartsRequest()
_REQUEST: ContextVar[PartsRequest] = ContextVar("parts_request", default=_NO_REQUEST)


@contextmanager
def parts_request(request: PartsRequest) -> Generator[None]:
    """Applies a request to every file that is parsed inside of the block."""
    token = _REQUEST.set(request)
    try:
        yield
    finally:
        _REQUEST.reset(token)


class PartsReader:
    """A reader of the parts of one file, at every depth.

    Args:
        read_file: Reads a file; called with this reader, or one below it, for the parts in it.
    """

    def __init__(self, read_file: _FileReader) -> None:
        self._read_file = read_file
        self._request = _REQUEST.get()
        self._ends = time.monotonic() + SHARE_OF_TIME * (self._request.seconds or float("inf"))
        self._parts: list[FilePart] = []
        self._paths: set[str] = set()
        self._unread: list[str] = []
        self._interrupted: list[str] = []
        self._inside: list[str] = []
        self._limit = self._bytes = self._refused = MAX_UNPACKED
        self._characters = MAX_CHARACTERS

    def file(self, data: bytes, *, content_type: str, filename: str) -> ParsedFile:
        """Reads a file with all its parts."""
        self._limit = self._bytes = self._refused = unpacked_limit(len(data))
        text = self._read_file(data, content_type, filename, self)
        return ParsedFile(text, self._parts, self._unread, self._interrupted)

    def text_of(self, container: Container) -> str:
        """Reads the members of a container, and returns its text with those that were not read."""
        names: list[str] = []
        notes: list[str] = []
        try:
            for member in container.members:
                if reason := self._end():
                    notes.append(f"Further files were not read: {reason}")
                    self._note(self._place("further files"), reason, passes=reason == _OVER)
                    break
                path = self._path_of(member, container)
                names.append(member.title or label(member.name) or _UNNAMED)
                if reason := self._read(member, path):
                    name = label(member.name) or path.rpartition("/")[2]
                    notes.append(f"{container.noun}: {name} (not read: {reason})")
                    self._note(path, reason, passes=self._is_skipped(path))
        except ManagedSyncError as error:
            self._count_refused(error)
            notes.append(f"Further files were not read: {error}")
            self._note(self._place("further files"), str(error))
        listed = map(markdown.list_item, names if container.lists_members else ())
        return markdown.join_blocks([container.text, *listed, markdown.paragraph("\n".join(notes))])

    def _end(self) -> str:
        """Returns the reason to read no more parts, if there is one."""
        if len(self._paths) >= MAX_PARTS:
            return f"a file may hold at most {MAX_PARTS:,} others"
        if self._bytes <= 0 or self._refused <= 0:
            return f"together they would unpack to more than {self._limit:,} bytes"
        if self._characters <= 0:
            return f"together they have more than {MAX_CHARACTERS:,} characters"
        if time.monotonic() > self._ends:
            return _OVER
        return ""

    def _is_skipped(self, path: str) -> bool:
        return path in self._request.skipped or ALL_PARTS in self._request.skipped

    def _note(self, path: str, reason: str, *, passes: bool = False) -> None:
        """Notes that a part was not read.

        Args:
            path: Its path.
            reason: The reason.
            passes: Whether the reason may not hold at another time.
        """
        self._unread.append(f"{path} ({reason})")
        if passes:
            self._interrupted.append(f"{path} ({reason})")

    def _read(self, member: Member, path: str) -> str:
        """Reads a member, and returns the reason if that was not possible."""
        skipped = self._request.skipped
        if reason := skipped.get(path) or skipped.get(ALL_PARTS):
            return reason
        if len(self._inside) >= MAX_DEPTH:
            return f"it lies more than {MAX_DEPTH} files deep"
        if self._request.on_part is not None:
            self._request.on_part(path)
        name = path.rpartition("/")[2]
        position = len(self._parts)
        self._inside.append(path)
        try:
            text = run_parser(
                lambda data, *, content_type, filename: self._content(member, name),
                b"",
                content_type=member.content_type,
                filename=name,
            )
        except NotTextError:
            return ""
        except ManagedSyncError as error:
            self._count_refused(error)
            return _reason(str(error), name)
        finally:
            self._inside.pop()
        self._characters -= len(text)
        title = title_of(member.title) or name
        part = FilePart(text, path, title, media_type_by(member.content_type, name))
        # The parts of this part were read before its own text was complete.
        self._parts.insert(position, part)
        return ""

    def _content(self, member: Member, name: str) -> str:
        with reporting_damage(name):
            if member.open is not None:
                return self.text_of(member.open()).strip(" \t\n") + "\n"
            data = member.read(self._bytes) if member.read is not None else b""
        self._bytes -= len(data)
        return self._read_file(data, member.content_type or UNKNOWN_TYPE, name, self)

    def _count_refused(self, error: ManagedSyncError) -> None:
        """Counts what was unpacked in vain: many files that are too large are as much work."""
        if isinstance(error, TooLargeError):
            self._refused -= error.unpacked

    def _path_of(self, member: Member, container: Container) -> str:
        """Returns a path that no other part has."""
        name = label(member.name) or _UNNAMED
        base = self._place("/".join(filter(None, [container.folder, name])))
        stem, dot, suffix = base.rpartition(".")
        if not dot or "/" in suffix:
            stem, suffix = base, ""
        path, count = base, 1
        while path in self._paths:
            count += 1
            path = f"{stem} ({count}){dot if suffix else ''}{suffix}"
        self._paths.add(path)
        return path

    def _place(self, name: str) -> str:
        return shortened_path("/".join([*self._inside[-1:], name]))


def _reason(message: str, name: str) -> str:
    """Returns an error's message for a note that names the file already."""
    for start in (f"{name} could not be read: ", f"{name}: "):
        message = message.removeprefix(start)
    if message.startswith(f"{name} "):
        message = f"it {message[len(name) + 1 :]}"
    return " ".join(message.split()).removesuffix(".")


def bounded(data: bytes, name: str, limit: int) -> bytes:
    """Returns the bytes of a member, if they are not too many.

    Raises:
        ParsingError: They are.
    """
    if len(data) > limit:
        raise ParsingError(f"{name} has more than the {limit:,} bytes that are left for it.")
    return data


class TooLargeError(ParsingError):
    """The error for a member that unpacks to more bytes than are left for it.

    Attributes:
        unpacked: The bytes that were unpacked before this was known.
    """

    def __init__(self, message: str, unpacked: int) -> None:
        super().__init__(message)
        self.unpacked = unpacked


def too_large(name: str, limit: int, *, unpacked: int = 0) -> TooLargeError:
    """Returns the error for a member that unpacks to more bytes than are left for it."""
    return TooLargeError(f"{name} would unpack to more than {limit:,} bytes.", unpacked)


def unpacked_limit(packed: int) -> int:
    """Returns the most bytes that a file of this size may become, in all layers together."""
    return min(MAX_UNPACKED, max(HARMLESS, MAX_RATIO * packed))
