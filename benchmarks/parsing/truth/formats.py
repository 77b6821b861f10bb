"""The formats of files, which the ends of their names tell."""

from __future__ import annotations

from pathlib import PurePath

__all__ = ["ALL_FORMATS", "format_of"]

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
    "archive": "zip tar tgz gz bz2",
}
_FORMATS = {f".{ending}": kind for kind, endings in _ENDINGS.items() for ending in endings.split()}
ALL_FORMATS = tuple(_ENDINGS)


def format_of(name: str) -> str:
    """Returns the format of a file by its name, or nothing if it is none of those measured."""
    return _FORMATS.get(PurePath(name).suffix.lower(), "")
