"""Explains why a file is not read, and how its text could be indexed."""

from __future__ import annotations

from managed_sync.documents.parsing.file_types import FileType
from managed_sync.errors import NotTextError, ParsingError

__all__ = ["bytes_without_text", "not_read", "saved_as_xml", "wrong_type"]

_MEDIA = ("image/", "audio/", "video/")
_REMEDIES = {
    "application/x-7z-compressed": "pack its files as ZIP",
    "application/vnd.rar": "pack its files as ZIP",
    "application/postscript": "save it as PDF",
    "application/msword": "save it as .docx",
    "image/vnd.dwg": "save it as PDF",
    "application/vnd.visio": "save it as PDF",
    "application/vnd.apache.parquet": "export it as CSV",
    "application/vnd.sqlite3": "export it as CSV",
}


def not_read(name: str, media_type: str) -> ParsingError:
    """Returns the error for a format that holds no text, or none that is read."""
    remedy = _REMEDIES.get(media_type)
    kind = NotTextError if media_type.startswith(_MEDIA) else ParsingError
    return kind(
        f"{name}: no text can be read from {media_type}"
        + (f"; {remedy} to have it indexed." if remedy else ".")
    )


def wrong_type(name: str, kind: FileType) -> ParsingError:
    """Returns the error for a binary format whose bytes are another one's."""
    return ParsingError(
        f"{name} is declared as {kind.upper()}, but its bytes are not: the file is damaged "
        f"or has the wrong type."
    )


def bytes_without_text(name: str, media_type: str) -> ParsingError:
    """Returns the error for bytes that are neither text nor of a known format."""
    if media_type.startswith("text/"):
        return ParsingError(f"{name} is declared as text, but its bytes are not.")
    return ParsingError(
        f"{name} has bytes of no known format; save it as text, PDF or an Office file "
        "to have it indexed."
    )


def saved_as_xml(name: str, suffix: str) -> ParsingError:
    """Returns the error for an Office file that is a single XML file.

    Args:
        name: The name of the file.
        suffix: The end of the name of a file that is read.
    """
    return ParsingError(
        f"{name} is an Office file in a single XML file, which is not read; "
        f"save it as {suffix} to have it indexed."
    )
