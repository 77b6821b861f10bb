r"""Reads RTF: its control words, groups and characters.

Only what can be seen is text: groups that say so (``\*``) and tables of fonts, colors and styles
are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from benchmarks.parsing.truth.model import DamagedFileError, Truth

__all__ = ["read_rich_text"]

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?"  # a control word
    rb"|\\'([0-9a-fA-F]{2})"  # a byte
    rb"|\\([^a-zA-Z])"  # a control symbol
    rb"|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
_NO_TEXT = {
    "fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "filetbl", "listtable",
    "listoverridetable", "revtbl", "themedata", "datastore", "xmlnstbl", "generator", "fldinst",
    "nonshppict", "listtext", "pntext", "latentstyles", "rsidtbl", "bkmkstart", "bkmkend",
}  # fmt: skip
_PARTS = {
    "footnote": "footnotes",
    "annotation": "comments",
    "shptxt": "text boxes",
    **{f"header{pages}": "headers and footers" for pages in ("", "l", "r", "f")},
    **{f"footer{pages}": "headers and footers" for pages in ("", "l", "r", "f")},
}
_BREAKS = {"par", "line", "tab", "cell", "row", "sect", "page", "nestcell", "nestrow", "column"}
_CHARACTERS = {
    "emdash": "\u2014",
    "endash": "\u2013",
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "\u201c",
    "rdblquote": "\u201d",
    "bullet": "\u2022",
    "emspace": " ",
    "enspace": " ",
}
_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gbk", 136: "big5",
    161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257",
    204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip


@dataclass
class _State:
    part: str = "text"
    is_visible: bool = True
    is_hidden: bool = False
    is_deleted: bool = False
    skip: int = 1
    font: int = -1


def read_rich_text(data: bytes) -> Truth:
    """Returns the truth about an RTF file.

    Raises:
        DamagedFileError: It is none.
    """
    if not data.lstrip().startswith(b"{\\rtf"):
        raise DamagedFileError("it does not begin as RTF does")
    truth = Truth(uncounted=frozenset({"headers and footers", "hidden text"}))
    texts: dict[str, list[str]] = {}
    reader = _Reader(texts, _fonts(data))
    reader.read(data)
    for part, pieces in texts.items():
        truth.add(part, "".join(pieces))
    truth.flow.append("".join(texts.get("text", [])))
    return truth


def _fonts(data: bytes) -> dict[int, str]:
    """The encoding of each font."""
    found = re.findall(rb"\\f(\d+)[^;{}]*?\\fcharset(\d+)", data[:200_000])
    return {int(font): _CHARSETS.get(int(charset), "") for font, charset in found}


class _Reader:
    def __init__(self, texts: dict[str, list[str]], fonts: dict[int, str]) -> None:
        self._texts = texts
        self._fonts = fonts
        self._codepage = "cp1252"
        self._bytes = bytearray()
        self._state = _State()
        self._stack: list[_State] = []
        self._is_first = self._is_optional = False
        self._skipped = 0

    def read(self, data: bytes) -> None:
        """Reads all tokens."""
        position = 0
        while position < len(data):
            token = _TOKEN.match(data, position)
            if token is None:
                position += 1
                continue
            position = token.end()
            word, number, code, symbol, brace, plain = token.groups()
            if word == b"bin":
                position += max(0, int(number or 0))
            if brace:
                self._group(is_begin=brace == b"{")
            elif symbol == b"*":
                self._is_optional = True
            elif word or code or symbol or plain:
                self._begin((word or b"").decode())
                self._token(word, number, code, symbol, plain)
        self._flush()

    def _group(self, *, is_begin: bool) -> None:
        self._flush()
        self._skipped = 0
        if is_begin:
            self._stack.append(self._state)
            self._state = replace(self._state)
            self._is_first, self._is_optional = True, False
        elif self._stack:
            self._state = self._stack.pop()

    def _token(
        self,
        word: bytes | None,
        number: bytes | None,
        code: bytes | None,
        symbol: bytes | None,
        plain: bytes | None,
    ) -> None:
        if word == b"u":
            self._add(chr(int(number or 0) % 0x10000))
            self._skipped = self._state.skip
        elif word:
            self._control(word.decode(), int(number) if number else None)
        elif self._skipped:  # stands for the character for readers without Unicode
            kept = plain[self._skipped :] if plain else b""
            self._skipped -= min(self._skipped, len(plain) if plain else 1)
            self._bytes += kept
        elif code:
            self._bytes += bytes.fromhex(code.decode())
        elif symbol:
            self._add({b"~": " ", b"_": "-", b"-": ""}.get(symbol, symbol.decode("latin-1")))
        elif plain:
            self._bytes += plain

    def _begin(self, name: str) -> None:
        """The first word of a group says what it holds."""
        if not self._is_first:
            return
        self._is_first = False
        if name in _PARTS:
            self._state.part = _PARTS[name]
        elif name in _NO_TEXT or (self._is_optional and name != "shpinst"):
            self._state.is_visible = False

    def _control(self, name: str, number: int | None) -> None:
        self._flush()
        match name:
            case "ansicpg":
                self._codepage = f"cp{number}"
            case "mac":
                self._codepage = "mac_roman"
            case "uc":
                self._state.skip = number or 0
            case "f":
                self._state.font = number or 0
            case "v":
                self._state.is_hidden = number != 0
            case "deleted":
                self._state.is_deleted = number != 0
            case "plain":
                self._state.is_hidden = False
            case _:
                self._write("\n" if name in _BREAKS else _CHARACTERS.get(name, ""))

    def _flush(self) -> None:
        if self._bytes:
            data, self._bytes = bytes(self._bytes), bytearray()
            encoding = self._fonts.get(self._state.font) or self._codepage
            try:
                self._write(data.decode(encoding, "replace"))
            except LookupError:
                self._write(data.decode("cp1252", "replace"))

    def _add(self, text: str) -> None:
        self._flush()
        self._write(text)

    def _write(self, text: str) -> None:
        if self._state.is_visible and not self._state.is_deleted:
            part = "hidden text" if self._state.is_hidden else self._state.part
            self._texts.setdefault(part, []).append(text)
