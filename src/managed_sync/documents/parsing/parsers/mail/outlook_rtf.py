"""Unpacks the RTF bodies of Outlook, and the HTML that it hides in them."""

from __future__ import annotations

import codecs
import re

__all__ = ["decompressed", "html_inside"]

# The text that every packed RTF may refer to: [MS-OXRTFCP].
_DICTIONARY = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    b"\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    b"\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)
_PACKED, _PLAIN = b"LZFu", b"MELA"
_WINDOW = 4096
_HEADER = 16
_MAX_BYTES = 64 * 1024**2
_TOKEN = re.compile(
    r"\\'(?P<byte>[0-9a-fA-F]{2})|\\(?P<word>[a-z]{1,32})(?P<number>-?\d{1,10})? ?"
    r"|\\(?P<mark>[^a-z'])|(?P<group>[{}])|(?P<text>[^\\{}\r\n]+)|[\r\n]+|\\"
)
_CODE_PAGE = re.compile(r"\\ansicpg(\d{3,5})")
_BREAKS = {
    "par": "\n",
    "line": "\n",
    "tab": "\t",
    "lquote": "&lsquo;",
    "rquote": "&rsquo;",
    "ldblquote": "&ldquo;",
    "rdblquote": "&rdquo;",
    "bullet": "&bull;",
    "endash": "&ndash;",
    "emdash": "&mdash;",
}
_HIDDEN = {"fonttbl", "colortbl", "stylesheet", "info", "pict", "listtable", "generator"}


def decompressed(data: bytes) -> bytes:
    """Returns RTF that Outlook packed; empty for anything else."""
    kind, size = data[8:12], int.from_bytes(data[4:8], "little")
    if kind == _PLAIN:
        return data[_HEADER : _HEADER + size]
    if kind != _PACKED:
        return b""
    output = bytearray(_DICTIONARY)
    position, limit = _HEADER, min(size, _MAX_BYTES) + len(_DICTIONARY)
    while position < len(data) and len(output) < limit:
        flags = data[position]
        position += 1
        for bit in range(8):
            if not flags >> bit & 1:
                output += data[position : position + 1]
                position += 1
                continue
            token = int.from_bytes(data[position : position + 2], "big")
            position += 2
            start = _start(token >> 4, len(output))
            if start is None or position > len(data):
                return bytes(output[len(_DICTIONARY) : limit])
            for offset in range((token & 0xF) + 2):
                output.append(output[start + offset])
    return bytes(output[len(_DICTIONARY) : limit])


def _start(place: int, written: int) -> int | None:
    """Returns the position in the output of a place in the window; ``None`` at the end."""
    back = (written - place) % _WINDOW
    if back == 0 or back > written:
        return None
    return written - back


def html_inside(rtf: bytes) -> str:
    """Returns the page from which Outlook made the RTF; empty if it made it from something else."""
    if b"\\fromhtml" not in rtf[:1024]:
        return ""
    text = rtf.decode("latin-1")
    page = _CODE_PAGE.search(text[:1024])
    return _Page(f"cp{page.group(1)}" if page else "cp1252").of(text)


class _Page:
    """A collector of the HTML in RTF: [MS-OXRTFEX].

    Args:
        codec: The charset of characters that are written as bytes.
    """

    def __init__(self, codec: str) -> None:
        try:
            self._codec = codecs.lookup(codec).name
        except LookupError:
            self._codec = "cp1252"
        self._output: list[str] = []
        self._bytes = bytearray()

    def of(self, text: str) -> str:
        """Returns the HTML in a text."""
        groups: list[bool] = []
        is_hidden = is_rtf = is_starred = False
        skipped = 0
        for token in _TOKEN.finditer(text):
            word = token["word"]
            if token["group"] == "{":
                groups.append(is_hidden)
            elif token["group"] == "}":
                is_hidden = groups.pop() if groups else False
            elif token["mark"] == "*":
                is_starred = True
                continue
            elif word == "htmlrtf":
                is_rtf = token["number"] != "0"
            elif word in _HIDDEN or (is_starred and word and word != "htmltag"):
                is_hidden = True
            elif not (is_hidden or is_rtf):
                if word == "u":
                    skipped = 1
                    self._character(int(token["number"] or 0))
                elif skipped and (token["byte"] or token["text"]):
                    skipped = 0
                    self._add((token["text"] or "")[1:])
                else:
                    self._token(token)
            is_starred = False
        self._flush()
        return "".join(self._output)

    def _token(self, token: re.Match[str]) -> None:
        if token["byte"]:
            self._bytes.append(int(token["byte"], 16))
        elif token["text"]:
            self._add(token["text"])
        elif token["word"] in _BREAKS:
            self._add(_BREAKS[token["word"]])
        elif token["mark"] in {"\\", "{", "}"}:
            self._add(token["mark"])
        elif token["mark"] == "~":
            self._add("&nbsp;")

    def _character(self, number: int) -> None:
        self._add(chr(number % 0x10000))

    def _add(self, text: str) -> None:
        self._flush()
        self._output.append(text)

    def _flush(self) -> None:
        if self._bytes:
            self._output.append(self._bytes.decode(self._codec, "replace"))
            self._bytes.clear()
