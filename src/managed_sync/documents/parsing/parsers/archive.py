"""Opens archives: ZIP and TAR, and single files packed with gzip, bzip2 or xz."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any

from managed_sync.documents.parsing.base import protected
from managed_sync.documents.parsing.decoding import decode
from managed_sync.documents.parsing.part_names import label
from managed_sync.documents.parsing.parts import Container, Member, too_large, unpacked_limit
from managed_sync.errors import ParsingError

__all__ = ["open_archive"]

_TAR_SUFFIXES = {".tgz": ".tar", ".tbz2": ".tar", ".tbz": ".tar", ".txz": ".tar"}
_PACKED_SUFFIXES = {".gz", ".bz2", ".xz", ".z"}
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, OSError, EOFError),
    *(ValueError, NotImplementedError, RuntimeError, KeyError, IndexError),
)
# Files that systems add to archives, not people.
_ADDED_FOLDERS = {"__MACOSX"}
_ADDED_NAMES = {".DS_Store", "Thumbs.db", "desktop.ini"}
_DRAWN = re.compile("[\u2500-\u25a0\u03a6-\u03c6\u2261-\u2265]")
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1
_UNICODE_PATH = b"up"
_MAX_ENTRIES = 100_000
_PIECE = 1024 * 1024
_TAR_HEADER = 512


def open_archive(data: bytes, *, name: str) -> Container:
    """Opens an archive, or a single packed file.

    Args:
        data: The archive.
        name: The name of the file, which is used in error messages and to name a file packed alone.

    Raises:
        ParsingError: The file is damaged, or an archive of another kind.
    """
    if data.startswith(b"PK"):
        return Container("", _zip_members(data, name), lists_members=True)
    if unpack := _unpacker(data):
        return Container("", _unpacked(data, name, unpack), lists_members=True)
    if _is_tar(data[:_TAR_HEADER]):
        return Container("", _tar_members(io.BytesIO(data), name), lists_members=True)
    raise ParsingError(
        f"{name} is an archive of a kind that is not read; pack its files as ZIP to have them "
        f"indexed."
    )


def _zip_members(data: bytes, name: str) -> Iterator[Member]:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except _DAMAGED as error:
        raise ParsingError(f"{name} is damaged: {error}.") from error
    entries = archive.infolist()
    for entry, path in zip(entries, _zip_names(entries), strict=True):
        is_link = (entry.external_attr >> 16) & 0o170000 == 0o120000
        if not entry.is_dir() and not is_link and not _is_added(path):
            yield Member(path, partial(_zip_bytes, archive, entry, path))


def _zip_bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: str, limit: int) -> bytes:
    name = PurePosixPath(label(path)).name
    if entry.flag_bits & _ENCRYPTED:
        raise protected(name)
    if entry.file_size > limit:
        raise too_large(name, limit)
    try:
        with archive.open(entry) as file:
            return _read(file, name, min(limit, unpacked_limit(entry.compress_size)))
    except _DAMAGED as error:
        raise ParsingError(f"{name} could not be unpacked: {error}.") from error


def _zip_name(entry: zipfile.ZipInfo) -> str:
    """Returns the name of an entry, as UTF-8 if it can be; empty if it has another charset.

    Many programs write UTF-8 without saying so.
    """
    if entry.flag_bits & _UTF8_NAME:
        return entry.filename
    extra = entry.extra
    while len(extra) >= 4:
        length = int.from_bytes(extra[2:4], "little")
        if extra[:2] == _UNICODE_PATH and length > 5:
            return extra[9 : 4 + length].decode("utf-8", "replace")
        extra = extra[4 + length :]
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return ""


def _zip_names(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Returns the names of all entries.

    The format's own charset has drawing lines where other charsets have letters. If a name has such
    characters, the charset is detected from all names together.
    """
    names = [_zip_name(entry) for entry in entries]
    unknown = [entry.filename for entry, name in zip(entries, names, strict=True) if not name]
    if any(map(_DRAWN.search, unknown)):
        raw = "\n".join(unknown).encode("cp437", "replace")
        with contextlib.suppress(ParsingError):
            found = decode(raw, name="The list of files").split("\n")
            unknown = found if len(found) == len(unknown) else unknown
    remaining = iter(unknown)
    return [name or next(remaining) for name in names]


def _unpacked(data: bytes, name: str, unpack: Callable[[], io.BufferedIOBase]) -> Iterator[Member]:
    """Yields the members of a packed TAR, or else the one file that is packed."""
    try:
        start = unpack().read(_TAR_HEADER)
    except _DAMAGED as error:
        raise ParsingError(f"{name} is damaged: {error}.") from error
    whole = io.BufferedReader(_Bounded(unpack(), name, unpacked_limit(len(data))), _PIECE)
    if _is_tar(start):
        yield from _tar_members(whole, name)
        return
    inner = PurePosixPath(name)
    suffix = inner.suffix.lower()
    if suffix in _TAR_SUFFIXES:
        inner = inner.with_suffix(_TAR_SUFFIXES[suffix])
    elif suffix in _PACKED_SUFFIXES:
        inner = inner.with_suffix("")

    def content(limit: int) -> bytes:
        """Unpacks the file, up to a number of bytes."""
        try:
            return _read(whole, inner.name, limit)
        except _DAMAGED as error:
            raise ParsingError(f"{inner.name} could not be unpacked: {error}.") from error

    yield Member(inner.name or "file", content)


def _is_tar(start: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(start, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def _tar_members(file: IO[bytes], name: str) -> Iterator[Member]:
    # A stream is read once, in order: members that are left out cost only their bytes.
    try:
        with tarfile.open(fileobj=file, mode="r|", errors="surrogateescape") as archive:
            for count, entry in enumerate(archive):
                if count > _MAX_ENTRIES:
                    raise ParsingError(f"{name} has more than {_MAX_ENTRIES:,} entries.")
                if entry.isfile() and not _is_added(entry.name):
                    yield Member(entry.name, partial(_tar_bytes, archive, entry))
    except _DAMAGED as error:
        raise ParsingError(f"{name} is damaged: {error}.") from error


def _tar_bytes(archive: tarfile.TarFile, entry: tarfile.TarInfo, limit: int) -> bytes:
    name = PurePosixPath(label(entry.name)).name
    if entry.size > limit or entry.issparse():
        raise too_large(name, limit)
    try:
        file = archive.extractfile(entry)
        return _read(file, name, limit) if file is not None else b""
    except _DAMAGED as error:
        raise ParsingError(f"{name} could not be unpacked: {error}.") from error


def _read(file: IO[bytes], name: str, limit: int) -> bytes:
    """Returns the bytes of a member, up to a limit.

    Raises:
        ParsingError: There are more.
    """
    pieces: list[bytes] = []
    size = 0
    while piece := file.read(_PIECE):
        size += len(piece)
        if size > limit:
            raise too_large(name, limit, unpacked=size)
        pieces.append(piece)
    return b"".join(pieces)


def _is_added(path: str) -> bool:
    steps = PurePosixPath(path.replace("\\", "/")).parts
    return bool(steps) and (steps[0] in _ADDED_FOLDERS or steps[-1] in _ADDED_NAMES)


def _unpacker(data: bytes) -> Callable[[], io.BufferedIOBase] | None:
    """Returns a function that begins to unpack a packed file; ``None`` for any other file."""
    if data.startswith(b"\x1f\x8b"):
        return lambda: gzip.GzipFile(fileobj=io.BytesIO(data))
    if data.startswith(b"BZh"):
        return lambda: bz2.BZ2File(io.BytesIO(data))
    if data.startswith(b"\xfd7zXZ\0"):
        return lambda: lzma.LZMAFile(io.BytesIO(data))
    return None


class _Bounded(io.RawIOBase):
    """A stream that ends with an error after too many bytes."""

    def __init__(self, file: io.BufferedIOBase, name: str, limit: int) -> None:
        self._file = file
        self._name = name
        self._left = self._limit = limit

    def readable(self) -> bool:
        """Returns True: the file is opened for reading."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Reads the next bytes into a buffer."""
        count = self._file.readinto(buffer)
        self._left -= count
        if self._left < 0:
            raise too_large(self._name, self._limit, unpacked=self._limit)
        return count
