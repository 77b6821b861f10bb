"""The media type of a file, by its name."""

from __future__ import annotations

from mimetypes import MimeTypes

__all__ = ["DIRECTORY", "media_type_of"]

DIRECTORY = "inode/directory"

_OFFICE = "application/vnd.openxmlformats-officedocument"
_FURTHER = {
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".eml": "message/rfc822",
    ".jsonl": "application/jsonl",
    ".markdown": "text/markdown",
    ".md": "text/markdown",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_ENCODINGS = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
}

# A separate instance uses only Python's table, so that all machines give the same result.
_types = MimeTypes()
for _extension, _type in _FURTHER.items():
    _types.add_type(_type, _extension)


def media_type_of(name: str) -> str:
    """Returns the media type for a file name.

    Examples:
        >>> media_type_of("Budget 2026.xlsx").rsplit(".", 1)[-1]
        'sheet'
    """
    # guess_type takes URLs, in which some characters are special; it only needs the extension.
    stem, dot, ending = name.rpartition(".")
    guessed, encoding = _types.guess_type(f"file{dot}{ending}" if stem else name)
    if encoding is not None:
        return _ENCODINGS.get(encoding, "application/octet-stream")
    return guessed or "application/octet-stream"
