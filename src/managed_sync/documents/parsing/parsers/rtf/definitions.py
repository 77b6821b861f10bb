"""The fonts, character sets and styles that an RTF file defines."""

from __future__ import annotations

import codecs
import re

from managed_sync.documents.parsing.parsers.rtf.codes import CHARSETS, codec
from managed_sync.documents.parsing.parsers.word.symbols import translate

__all__ = ["Definitions"]

_HEADING = re.compile(r"heading\s*([1-9])", re.IGNORECASE)
_SYMBOL_FONT = re.compile("Symbol|Wingdings 2|Wingdings")
_SYMBOLS = "symbol"
_BODY_LEVEL = 9


class Definitions:
    """The fonts and styles of a file, collected while its tables are read.

    Attributes:
        levels: The levels of headings by the numbers of their styles.
        codepage: The codec of text in fonts that state none.
    """

    def __init__(self) -> None:
        self.levels: dict[int, int] = {}
        self.codepage = "cp1252"
        self._codecs: dict[int, str] = {}
        self._symbol_fonts: dict[int, str] = {}
        self._entry = -1

    def define_font(self, word: str, number: int) -> None:
        """Records a control word of the font table."""
        if word == "f":
            self._entry = number
        elif word == "fcharset":
            self._codecs[self._entry] = CHARSETS.get(number, self.codepage)
        elif word == "cpg":
            self._codecs[self._entry] = self._known(codec(number))

    def define_style(self, word: str, number: int) -> None:
        """Records a control word of the style sheet."""
        if word == "s":
            self._entry = number
        elif word == "outlinelevel" and number < _BODY_LEVEL:
            self.levels[self._entry] = number + 1

    def name_font(self, text: str) -> None:
        """Records the name of a font."""
        if found := _SYMBOL_FONT.match(text):
            self._symbol_fonts[self._entry] = found[0]

    def name_style(self, text: str) -> None:
        """Records the name of a style."""
        if found := _HEADING.match(text):
            self.levels.setdefault(self._entry, int(found[1]))

    def set_codepage(self, number: int) -> None:
        """Records the code page of the file."""
        self.codepage = self._known(codec(number))

    def decode(self, data: bytes, font: int) -> str:
        """Returns the text that bytes in a font stand for."""
        name = self._codecs.get(font, self.codepage)
        if name != _SYMBOLS:
            return data.decode(name, "replace")
        if font in self._symbol_fonts:
            private = "".join(chr(0xF000 + byte) for byte in data)
            return translate(private, self._symbol_fonts[font])
        return data.decode("cp1252", "replace")

    def _known(self, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError:
            return self.codepage
        return name
