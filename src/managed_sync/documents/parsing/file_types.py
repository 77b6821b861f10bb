"""Detects the type of a file by its content type, its bytes, and its name.

The content type comes first, unless the bytes plainly contradict it: a PDF with the content type of
a Word file is read as a PDF. ``application/octet-stream`` means "unknown".
"""

from __future__ import annotations

import io
import re
import zipfile
from enum import StrEnum
from pathlib import PurePosixPath

from managed_sync.errors import NotTextError, ParsingError

__all__ = ["FileType", "contradicts", "detect_file_type", "display_name", "media_type_of"]


class FileType(StrEnum):
    """The types of files that text can be read from."""

    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    XLSX = "xlsx"
    HTML = "html"
    MARKDOWN = "md"
    CSV = "csv"
    EMAIL = "eml"
    RTF = "rtf"
    ODT = "odt"
    ODS = "ods"
    ODP = "odp"
    EPUB = "epub"
    CODE = "code"
    TEXT = "txt"


_NOT_TEXT = ("image/", "audio/", "video/")
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_OFFICE = "application/vnd.openxmlformats-officedocument."
_BY_CONTENT_TYPE = {
    "application/pdf": FileType.PDF,
    "application/rtf": FileType.RTF,
    "text/rtf": FileType.RTF,
    f"{_OPEN_DOCUMENT}text": FileType.ODT,
    f"{_OPEN_DOCUMENT}spreadsheet": FileType.ODS,
    f"{_OPEN_DOCUMENT}presentation": FileType.ODP,
    "application/epub+zip": FileType.EPUB,
    f"{_OFFICE}wordprocessingml.document": FileType.DOCX,
    f"{_OFFICE}presentationml.presentation": FileType.PPTX,
    f"{_OFFICE}spreadsheetml.sheet": FileType.XLSX,
    "text/html": FileType.HTML,
    "application/xhtml+xml": FileType.HTML,
    "text/markdown": FileType.MARKDOWN,
    "text/x-markdown": FileType.MARKDOWN,
    "text/csv": FileType.CSV,
    "text/tab-separated-values": FileType.CSV,
    "message/rfc822": FileType.EMAIL,
    "application/json": FileType.CODE,
    "application/x-ndjson": FileType.CODE,
    "application/xml": FileType.CODE,
    "application/yaml": FileType.CODE,
    "application/x-yaml": FileType.CODE,
    "application/javascript": FileType.CODE,
    "application/sql": FileType.CODE,
    "application/x-sh": FileType.CODE,
    "text/xml": FileType.CODE,
    "text/yaml": FileType.CODE,
    "text/css": FileType.CODE,
    "text/javascript": FileType.CODE,
}
_MEDIA_TYPES: dict[FileType, str] = {
    kind: media_type
    for media_type, kind in reversed(_BY_CONTENT_TYPE.items())
    if kind is not FileType.CODE
}
_CODE_SUFFIX = re.compile(
    "bash|c|cc|cpp|cs|css|go|h|hpp|ini|java|js|json|jsonl|jsx|kt|php|ps1|py|rb|rs|sh|sql|swift"
    "|toml|ts|tsx|xml|yaml|yml"
)
_BY_SUFFIX = {
    **{kind.value: kind for kind in FileType if kind is not FileType.CODE},
    "htm": FileType.HTML,
    "xhtml": FileType.HTML,
    "markdown": FileType.MARKDOWN,
    "tsv": FileType.CSV,
    "log": FileType.TEXT,
    "rst": FileType.TEXT,
    "text": FileType.TEXT,
}
# Servers send these without knowing the type. Windows calls a CSV file "ms-excel".
_UNKNOWN = {"", "application/octet-stream", "binary/octet-stream", "application/vnd.ms-excel"}
_ARCHIVE_FOLDERS = {"word": FileType.DOCX, "ppt": FileType.PPTX, "xl": FileType.XLSX}
_ARCHIVES = {
    *_ARCHIVE_FOLDERS.values(),
    *(FileType.ODT, FileType.ODS, FileType.ODP, FileType.EPUB),
}
_BINARY = {FileType.PDF, FileType.RTF, *_ARCHIVES}
# The types of login pages and errors, which some servers send in place of a file's content.
_INSTEAD = {"text/html", "application/json", "application/problem+json"}
_NEVER_INSTEAD = {*_BINARY, FileType.TEXT, FileType.MARKDOWN, FileType.CSV}
# Google's own formats have no bytes: the content is an export, and its bytes decide the type.
_GOOGLE = "application/vnd.google-apps."
_HTML_START = re.compile(
    rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.I | re.S
)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_UNREADABLE = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"\x1f\x8b": "application/gzip",
    b"7z\xbc\xaf\x27\x1c": "application/x-7z-compressed",
    b"Rar!\x1a\x07": "application/vnd.rar",
    b"\x7fELF": "application/x-executable",
    b"SQLite format 3\x00": "application/vnd.sqlite3",
}
_MAX_UNPACKED = 1024**3
# The XML in Office files shrinks to a tenth or a twentieth.
_HARMLESS = 64 * 1024**2
_MAX_RATIO = 100
_ENCRYPTED_PACKAGE = "EncryptedPackage".encode("utf-16-le")


def display_name(filename: str, content_type: str) -> str:
    """Returns the name of a file for messages: its own, or one made of its type."""
    return filename or f"A file of type {content_type or 'unknown'}"


def media_type_of(kind: FileType) -> str:
    """Returns the content type of a binary format or of HTML."""
    return _MEDIA_TYPES[kind]


def contradicts(delivered: str, declared: str, filename: str) -> bool:
    """Tells whether a file of the declared type cannot be delivered as the other type.

    A PDF, an Office file or a plain text cannot be a web page or JSON. Formats without bytes of
    their own, such as Google's, are exported as any type.
    """
    media_type = declared.partition(";")[0].strip().lower()
    if media_type in _UNKNOWN or media_type.startswith(_GOOGLE):
        return False
    return delivered in _INSTEAD and _declared_type(media_type, filename) in _NEVER_INSTEAD


def detect_file_type(data: bytes, *, content_type: str, filename: str) -> FileType:
    """Returns the type of a file, to choose a parser by.

    Raises:
        ParsingError: The type has no text, the file is encrypted, or it unpacks to more than
            1 GiB or more than 100 times its size.
    """
    name = display_name(filename, content_type)
    media_type = content_type.partition(";")[0].strip().lower()
    declared = _declared_type(media_type, filename)
    if found := _type_of_bytes(data, name):
        return found
    if declared is FileType.PDF and b"%PDF-" in data[:1024]:
        # Some programs write a few bytes of their own before it.
        return declared
    if declared in {*_BINARY, FileType.TEXT, None} and _is_html(data):
        # A web page with the type of a Word file, or the export of a document.
        return FileType.HTML
    if declared in _BINARY:
        raise ParsingError(
            f"{name} is declared as {declared.upper()}, but its bytes are not: the file is damaged "
            f"or has the wrong type."
        )
    if declared is None:
        raise _no_text(name, media_type)
    return declared


def _declared_type(media_type: str, filename: str) -> FileType | None:
    suffix = PurePosixPath(filename).suffix.lower().removeprefix(".")
    by_name = FileType.CODE if _CODE_SUFFIX.fullmatch(suffix) else _BY_SUFFIX.get(suffix)
    if known := _BY_CONTENT_TYPE.get(media_type):
        return known
    if media_type == f"{_GOOGLE}spreadsheet":
        return FileType.CSV
    if media_type in _UNKNOWN or media_type.startswith(_GOOGLE):
        return by_name or FileType.TEXT
    if media_type.startswith("text/"):
        # "text/plain" is right for every text file; the name tells its type.
        return by_name if by_name and by_name not in _BINARY else FileType.TEXT
    return None


def _type_of_bytes(data: bytes, name: str) -> FileType | None:
    """Returns the type if the first bytes leave no doubt about it.

    Raises:
        ParsingError: The file is encrypted, or of a type without text.
    """
    if data[:64].lstrip(b"\xef\xbb\xbf\0 \t\r\n").startswith(b"%PDF-"):
        return FileType.PDF
    if data.startswith(b"{\\rtf"):
        return FileType.RTF
    if data.startswith(b"PK\x03\x04"):
        return _type_of_archive(data, name)
    if data.startswith(_OLE):
        if _ENCRYPTED_PACKAGE in data:
            raise ParsingError(
                f"{name} is protected with a password; save it without one to have it indexed."
            )
        raise ParsingError(
            f"{name} has an Office format from before 2007; "
            "save it as .docx, .xlsx or .pptx to have it indexed."
        )
    for magic, media_type in _UNREADABLE.items():
        if data.startswith(magic):
            raise _no_text(name, media_type)
    return None


def _type_of_archive(data: bytes, name: str) -> FileType:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            media_type = _stated_media_type(archive)
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
    if (stated := _BY_CONTENT_TYPE.get(media_type)) in _ARCHIVES:
        return stated
    names = {entry.filename for entry in entries}
    if "[Content_Types].xml" in names:
        for entry_name in names:
            folder, slash, _ = entry_name.partition("/")
            if slash and folder in _ARCHIVE_FOLDERS:
                return _ARCHIVE_FOLDERS[folder]
    raise _no_text(name, "application/zip")


def _no_text(name: str, media_type: str) -> ParsingError:
    kind = NotTextError if media_type.startswith(_NOT_TEXT) else ParsingError
    return kind(f"{name}: no text can be read from {media_type}.")


def _stated_media_type(archive: zipfile.ZipFile) -> str:
    """Returns the type that OpenDocument files and EPUB books state in themselves."""
    try:
        with archive.open("mimetype") as file:
            return file.read(200).decode("ascii", "replace").strip()
    except (KeyError, RuntimeError, NotImplementedError):
        return ""


def _is_html(data: bytes) -> bool:
    return _HTML_START.match(data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")) is not None
