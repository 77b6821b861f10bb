"""Decodes the texts of mail, whose declared charsets are often not quite right."""

from __future__ import annotations

import re

from managed_sync.documents.parsing.charsets import codec_of
from managed_sync.documents.parsing.decoding import decode
from managed_sync.errors import ParsingError

__all__ = ["decode_as"]

# Numbers of Windows for charsets that have other names.
_PAGES = {
    **{28590 + part: f"iso-8859-{part}" for part in range(1, 16)},
    1200: "utf-16le",
    20127: "ascii",
    20866: "koi8-r",
    21866: "koi8-u",
    50220: "iso-2022-jp",
    50221: "iso-2022-jp",
    51932: "euc-jp",
    51949: "euc-kr",
    54936: "gb18030",
    65001: "utf-8",
}
_NUMBERED = re.compile(r"(?:x-)?(?:cp|windows|win|ibm|ms)[-_ ]?(\d{3,5})")
# Their bytes are ASCII, so that only the declaration tells them from it.
_SEVEN_BITS = {"utf-7", "hz"}
_FEW = 4
_LETTER = re.compile(rb"[A-Za-z]")
_HIGH = re.compile(rb"[\x80-\xff]")


def decode_as(data: bytes, charset: str, *, name: str) -> str:
    """Returns the text of some bytes with a declared charset.

    Args:
        data: The bytes.
        charset: The declared charset; empty for none.
        name: The name of the file in error messages.

    Raises:
        ParsingError: The bytes are not text in any encoding.
    """
    declared = _plain(charset)
    codec = codec_of(declared)
    if codec in _SEVEN_BITS:
        return data.decode(codec or "", errors="replace")
    if codec in {None, "utf-8"} and _is_western(data):
        # A few bytes say little to statistics, and mail is often Windows-1252 under another name.
        declared = "windows-1252"
    try:
        return decode(data, name=name, charset=declared)
    except ParsingError:
        if codec is None:
            raise
        return data.decode(codec, errors="replace")


def _plain(charset: str) -> str:
    """Returns a charset by the name that other programs know."""
    label = charset.strip().strip("'\"").lower()
    if numbered := _NUMBERED.fullmatch(label):
        number = numbered.group(1)
        return _PAGES.get(int(number), f"cp{number}" if codec_of(f"cp{number}") else label)
    return label


def _is_western(data: bytes) -> bool:
    """Tells whether only some letters are beyond ASCII, as in the languages of Western Europe."""
    letters, high = len(_LETTER.findall(data)), len(_HIGH.findall(data))
    return 4 * high < letters or (high <= _FEW and high < letters)
