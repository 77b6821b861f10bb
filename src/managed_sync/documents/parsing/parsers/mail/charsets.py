"""Decodes the texts of mail, whose declared charsets are often not quite right."""

from __future__ import annotations

import codecs
import re

from managed_sync.documents.parsing.decoding import decode
from managed_sync.errors import ParsingError

__all__ = ["decode_as"]

# The encodings that programs use under these names, which have more characters; as in browsers.
_WIDER = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
_NAMES = {
    "unicode-1-1-utf-7": "utf-7",
    "unicode": "utf-16",
    "utf8mb4": "utf-8",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "ks_c_5601-1987": "cp949",
    "x-sjis": "cp932",
    "x-gbk": "gb18030",
    "x-euc-jp": "euc_jp",
    "x-mac-cyrillic": "mac_cyrillic",
    "macintosh": "mac_roman",
    "x-macintosh": "mac_roman",
    "x-mac-roman": "mac_roman",
    "cp-850": "cp850",
}
# Numbers of Windows for charsets that have other names.
_PAGES = {
    **{f"cp{28590 + part}": f"iso-8859-{part}" for part in range(1, 16)},
    "cp1200": "utf-16-le",
    "cp20127": "ascii",
    "cp20866": "koi8_r",
    "cp21866": "koi8_u",
    "cp936": "gb18030",
    "cp54936": "gb18030",
    "cp50220": "iso2022_jp",
    "cp50221": "iso2022_jp",
    "cp51932": "euc_jp",
    "cp51949": "cp949",
    "cp65001": "utf-8",
}
_PREFIXED = re.compile(r"(?:x-)?(?:cp|windows|win|ibm|ms)[-_ ]?(\d{3,5})")
# Python has codecs that are no charsets, and some of these take quadratic time.
_CHARSET = re.compile(
    r"(?:ascii|big5|cp|euc|gb|hz|iso|johab|koi8|kz|latin|mac|ptcp|shift|tis|utf)[a-z0-9_-]*"
)
_FEW = 4
_LETTER = re.compile(rb"[A-Za-z]")
_HIGH = re.compile(rb"[\x80-\xff]")


def decode_as(data: bytes, charset: str, *, name: str) -> str:
    """Returns the text of some bytes with a declared charset.

    If the bytes do not fit it, UTF-8 and what the bytes suggest are tried.

    Args:
        data: The bytes.
        charset: The declared charset; empty for none.
        name: The name of the file, for errors.

    Raises:
        ParsingError: The bytes are not text in any encoding.
    """
    codec = _codec(charset)
    if codec in {"", "ascii"} and not _HIGH.search(data) and b"\x1b" not in data:
        return data.decode("ascii")
    # Western text is hardly ever UTF-8 by chance, and often UTF-8 under another name.
    candidates = ("utf-8", codec) if codec in {"cp1252", "ascii"} else (codec, "utf-8")
    for encoding in candidates:
        if encoding not in {"", "ascii"} and (text := _strict(data, encoding)) is not None:
            return text
    if codec not in {"", "ascii", "utf-8"}:
        damaged = data.decode(codec, errors="replace")
        if codec == "cp1252" or damaged.count("\ufffd") <= len(damaged) // 50:
            return damaged
    return _guessed(data, name=name, has_charset=bool(codec))


def _guessed(data: bytes, *, name: str, has_charset: bool) -> str:
    if _is_western(data):
        return data.decode("cp1252", errors="replace")
    try:
        return decode(data, name=name)
    except ParsingError:
        if not has_charset:
            raise
        return data.decode("cp1252", errors="replace")


def _is_western(data: bytes) -> bool:
    """Tells whether only some letters are beyond ASCII, as in the languages of Western Europe.

    Statistics say little about so few of them.
    """
    letters, high = len(_LETTER.findall(data)), len(_HIGH.findall(data))
    return 4 * high < letters or (high <= _FEW and high < letters)


def _codec(charset: str) -> str:
    """Returns the name of Python's codec for a charset; empty if there is none."""
    declared = charset.strip().strip("'\"").lower()
    declared = _NAMES.get(declared, declared)
    if numbered := _PREFIXED.fullmatch(declared):
        declared = f"cp{numbered.group(1)}"
        declared = _PAGES.get(declared, declared)
    try:
        codec = codecs.lookup(declared).name
    except (LookupError, ValueError):
        return ""
    codec = _WIDER.get(codec, codec) if codec != "ascii" else codec
    return codec if _CHARSET.fullmatch(codec) else ""


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):
        return None
