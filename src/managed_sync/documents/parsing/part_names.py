"""Makes labels of the names that files have inside of other files."""

from __future__ import annotations

import re

from managed_sync.documents.parsing.file_types import FileType, media_type_of, named_type
from managed_sync.logs import UNSEEN

__all__ = ["UNKNOWN_TYPE", "label", "media_type_by", "shortened_path", "title_of"]

_MAX_NAME = 120
_MAX_PATH = 400
_MAX_TITLE = 300
_DRIVE = re.compile(r"[A-Za-z]:")
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,100}")
# Characters without width, which make a name look like another one; some scripts need joiners.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060-\u2064\ufeff\U000e0000-\U000e007f]")
_TEXTS = {FileType.TEXT, FileType.CODE}
UNKNOWN_TYPE = "application/octet-stream"


def label(name: str) -> str:
    r"""Returns the path of a part without anything that leads out of its file.

    Examples:
        >>> label("..\\..\\C:/Windows/./plan.docx")
        'Windows/plan.docx'
    """
    steps = [_one_line(step) for step in re.split(r"[\\/]+", name)]
    kept = [
        _shortened(step)
        for step in steps
        if step not in {"", ".", ".."} and not _DRIVE.fullmatch(step)
    ]
    return "/".join(kept)[-_MAX_PATH:].lstrip("/")


def title_of(text: str) -> str:
    """Returns a title on one line, such as the subject of a message."""
    return _one_line(text)[:_MAX_TITLE]


def shortened_path(path: str) -> str:
    """Returns the end of a path that is too long."""
    return path if len(path) <= 2 * _MAX_PATH else path[-2 * _MAX_PATH :].lstrip("/")


def media_type_by(declared: str, name: str) -> str:
    """Returns the content type that a part is declared with, or the one that its name suggests."""
    media_type = declared.partition(";")[0].strip().lower()
    if not _MEDIA_TYPE.fullmatch(media_type) or media_type == UNKNOWN_TYPE:
        # Not by the system's own list of types, which differs between computers.
        kind = named_type(name)
        if kind in _TEXTS:
            return "text/plain"
        return UNKNOWN_TYPE if kind in {None, FileType.IMAGE} else media_type_of(kind)
    return media_type


def _one_line(text: str) -> str:
    return " ".join(UNSEEN.sub(" ", _INVISIBLE.sub("", text)).split())


def _shortened(step: str) -> str:
    if len(step) <= _MAX_NAME:
        return step
    stem, dot, suffix = step.rpartition(".")
    if not dot or len(suffix) > 10:
        return step[:_MAX_NAME]
    return f"{stem[: _MAX_NAME - len(suffix) - 1]}.{suffix}"
