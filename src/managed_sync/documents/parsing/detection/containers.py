"""Looks into ZIP archives and OLE compound files, to tell which format they hold."""

from __future__ import annotations

import io
import zipfile

from managed_sync.documents.parsing.file_types import FileType, declared_type
from managed_sync.errors import ParsingError

__all__ = ["type_of_compound_file", "type_of_zip"]

_MAX_UNPACKED = 1024**3
# The XML in Office files shrinks to a tenth or a twentieth.
_HARMLESS = 64 * 1024**2
_MAX_RATIO = 100
_STATED = {FileType.ODT, FileType.ODS, FileType.ODP, FileType.EPUB}
_OFFICE_FOLDERS = {"word": FileType.DOCX, "ppt": FileType.PPTX, "xl": FileType.XLSX}
_STREAMS = (
    # A presentation or a message may hold documents and workbooks of its own.
    ("__properties_version1.0", FileType.MSG),
    ("PowerPoint Document", FileType.PPT),
    ("WordDocument", FileType.DOC),
    ("Workbook", FileType.XLS),
    ("Book", FileType.XLS),
)


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
    except (zipfile.BadZipFile, ValueError, OSError) as error:
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
    if "[Content_Types].xml" in names:
        if "xl/workbook.bin" in names:
            return FileType.XLSB
        for entry_name in names:
            folder, slash, _ = entry_name.partition("/")
            if slash and (kind := _OFFICE_FOLDERS.get(folder.lower())):
                return kind
    if "Index/Document.iwa" in names or "Index.zip" in names or "index.apxl" in names:
        raise ParsingError(
            f"{name} has a format of Apple's iWork, which is not read; "
            "export it as PDF, .docx, .xlsx or .pptx to have it indexed."
        )
    return FileType.ARCHIVE


def _stated_type(archive: zipfile.ZipFile) -> FileType | None:
    """Returns the type that OpenDocument files and EPUB books state in themselves."""
    try:
        with archive.open("mimetype") as file:
            return declared_type(file.read(200).decode("ascii", "replace").strip())
    except (KeyError, RuntimeError, NotImplementedError, OSError, EOFError, zipfile.BadZipFile):
        return None


def type_of_compound_file(data: bytes, name: str) -> FileType:
    """Returns the type of an Office file from before 2007, or of an Outlook message.

    Raises:
        ParsingError: The file is encrypted, or holds a format that is not read.
    """
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise ParsingError(
            f"{name} is protected with a password; save it without one to have it indexed."
        )
    for stream, kind in _STREAMS:
        if _utf16(stream) in data:
            return kind
    raise ParsingError(
        f"{name} has an old binary format that is not read; "
        "save it as .docx, .xlsx, .pptx or PDF to have it indexed."
    )


def _utf16(stream: str) -> bytes:
    return stream.encode("utf-16-le") + b"\0\0"
