"""Looks into ZIP archives, to tell which format they hold."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib

from managed_sync.documents.parsing.file_types import FileType, declared_type
from managed_sync.errors import ParsingError

__all__ = ["type_of_zip"]

# What ``zipfile`` raises for damaged archives; a damaged version number is "not implemented".
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError),
    *(NotImplementedError, RuntimeError, struct.error),
)
_MAX_UNPACKED = 1024**3
# The XML in Office files shrinks to a tenth or a twentieth.
_HARMLESS = 64 * 1024**2
_MAX_RATIO = 100
_STATED = {FileType.ODT, FileType.ODS, FileType.ODP, FileType.EPUB}
_MANIFEST = "META-INF/manifest.xml"
_ROOT_TYPE = re.compile(rb'media-type="(application/(?:vnd\.oasis\.opendocument\.|epub)[^"]+)"')
_CONTENT_TYPES = "[content_types].xml"
_MAIN_PARTS = (
    (re.compile(rb"ms-excel\.sheet\.binary\.macroEnabled\.main"), FileType.XLSB),
    (re.compile(rb"wordprocessingml\.\w+\.main|ms-word\.\w+\.macroEnabled"), FileType.DOCX),
    (re.compile(rb"spreadsheetml\.\w+\.main|ms-excel\.\w+\.macroEnabled"), FileType.XLSX),
    (re.compile(rb"presentationml\.\w+\.main|ms-powerpoint\.\w+\.macro"), FileType.PPTX),
)
_LARGEST_LIST = 1024**2
_OFFICE_FOLDERS = {"word": FileType.DOCX, "ppt": FileType.PPTX, "xl": FileType.XLSX}


def type_of_zip(data: bytes, name: str) -> FileType:
    """Returns the type of a file that is a ZIP archive, perhaps just an archive.

    Raises:
        ParsingError: The archive is damaged, unpacks to more than 1 GiB or more than 100 times
            its size, or holds a format that is not read.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            stated = _stated_type(archive)
            packaged = [entry for entry in entries if entry.filename.lower() == _CONTENT_TYPES]
            listed = _start_of(archive, packaged[0], _LARGEST_LIST) if packaged else b""
    except _UNREADABLE as error:
        raise ParsingError(f"{name} is damaged: its end is missing or unreadable.") from error
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > _MAX_UNPACKED:
        raise ParsingError(f"{name} would unpack to more than 1 GiB and is not read.")
    if unpacked > max(_HARMLESS, _MAX_RATIO * len(data)):
        raise ParsingError(
            f"{name} would unpack to {unpacked // len(data)} times its size, as malicious "
            f"files do, and is not read."
        )
    if stated in _STATED:
        return stated
    names = {entry.filename.replace("\\", "/") for entry in entries}
    if packaged:
        return _type_of_package(listed, names, name)
    if "META-INF/container.xml" in names:
        return FileType.EPUB
    if "Index/Document.iwa" in names or "Index.zip" in names or "index.apxl" in names:
        raise ParsingError(
            f"{name} has a format of Apple's iWork, which is not read; "
            "export it as PDF, .docx, .xlsx or .pptx to have it indexed."
        )
    return FileType.ARCHIVE


def _type_of_package(content_types: bytes, names: set[str], name: str) -> FileType:
    """Returns the type of a package by the type of its main part, or by its folders.

    Raises:
        ParsingError: It is no document, workbook or presentation.
    """
    for pattern, kind in _MAIN_PARTS:
        if pattern.search(content_types):
            return kind
    if any(entry_name.endswith("workbook.bin") for entry_name in names):
        return FileType.XLSB
    for entry_name in names:
        folder, slash, _ = entry_name.partition("/")
        if slash and (found := _OFFICE_FOLDERS.get(folder.lower())):
            return found
    raise ParsingError(
        f"{name} has a format of Office that is not read, or its main part is missing; "
        "save it as PDF to have it indexed."
    )


def _stated_type(archive: zipfile.ZipFile) -> FileType | None:
    """Returns the type that OpenDocument files and EPUB books state in themselves."""
    if stated := declared_type(
        _start_of(archive, "mimetype", 200).decode("ascii", "replace").strip()
    ):
        return stated
    found = _ROOT_TYPE.search(_start_of(archive, _MANIFEST, _LARGEST_LIST))
    return declared_type(found.group(1).decode("ascii", "replace")) if found else None


def _start_of(archive: zipfile.ZipFile, entry: str | zipfile.ZipInfo, size: int) -> bytes:
    """Returns the first bytes of an entry; none if it is missing or cannot be read."""
    try:
        with archive.open(entry) as file:
            return file.read(size)
    except (KeyError, *_UNREADABLE):
        return b""
