"""Finds the files of a folder, by format."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["evenly", "files_of"]

_ENDINGS = {
    "pdf": "pdf",
    "docx": "docx docm dotx dotm",
    "doc": "doc dot",
    "pptx": "pptx pptm ppsx potx",
    "ppt": "ppt pps pot",
    "xlsx": "xlsx xlsm xltx xltm",
    "xlsb": "xlsb",
    "xls": "xls xlt",
    "odt": "odt ott",
    "ods": "ods ots",
    "odp": "odp otp",
    "rtf": "rtf",
    "epub": "epub",
    "html": "html htm xhtml",
    "md": "md markdown",
    "txt": "txt text",
    "csv": "csv tsv",
    "eml": "eml",
    "msg": "msg",
    "mbox": "mbox",
    "mht": "mht mhtml",
    "ics": "ics",
    "vcf": "vcf",
    "ipynb": "ipynb",
}
_FORMATS = {f".{ending}": kind for kind, endings in _ENDINGS.items() for ending in endings.split()}


def files_of(folder: Path) -> dict[str, list[Path]]:
    """Returns the files below a folder by format, which the ends of their names tell."""
    result: dict[str, list[Path]] = {kind: [] for kind in _ENDINGS}
    for path in sorted(folder.rglob("*")):
        kind = _FORMATS.get(path.suffix.lower())
        if kind and path.is_file() and path.stat().st_size:
            result[kind].append(path)
    return result


def evenly(paths: Sequence[Path], limit: int | None) -> list[Path]:
    """Returns at most so many of the paths, evenly spread.

    Examples:
        >>> [str(path) for path in evenly([Path(letter) for letter in "abcdef"], 3)]
        ['a', 'c', 'e']
    """
    if limit is None or len(paths) <= limit:
        return list(paths)
    return [paths[index * len(paths) // limit] for index in range(limit)]
