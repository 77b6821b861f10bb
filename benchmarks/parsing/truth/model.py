"""The truth about a file: its texts by part, its table rows and its headings."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass, field

__all__ = [
    "Cell",
    "Covered",
    "DamagedFileError",
    "Formula",
    "Items",
    "Row",
    "Text",
    "Truth",
    "Unspaced",
    "UnsupportedFileError",
    "greek",
    "words",
]


class Formula(str):
    """An equation: there are many ways to write it, but its letters and digits keep their order."""

    __slots__ = ()


class Items(str):
    """The paragraphs of a cell, one a line, that a list may number."""

    __slots__ = ()


class Unspaced(str):
    """A text whose blanks are not known."""

    __slots__ = ()


# A text, or several ways to write it, of which a parser needs only one.
Text = str | tuple[str, ...]
# The texts that are right in a cell. A cell that its neighbor covers may repeat its text. A cell
# without any text here is blank, and may be left out.
Cell = tuple[str, ...]
Row = tuple[Cell, ...]


class Covered(tuple[str, ...]):
    """The cell of a sheet that another one covers. It may be left out, too."""

    __slots__ = ()


_WORDS = re.compile(
    # Chinese and Japanese have no spaces, so that each character is one.
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
    r"|[^\W_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+"
)
# Soft hyphens, spaces without width and marks of direction, in the middle of words.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_GREEK = re.compile(
    r"\\(alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma"
    r"|tau|upsilon|phi|chi|psi|omega)(?![a-z])",
    re.IGNORECASE,
)


class DamagedFileError(Exception):
    """Raised when a file is damaged or protected, so that no parser can be expected to read it."""


class UnsupportedFileError(Exception):
    """Raised when nothing independent can read this file."""


@dataclass
class Truth:
    """The content of a file.

    Attributes:
        parts: Texts by the part of the file that holds them.
        flow: The parts' texts in reading order, where the format has one.
        rows: The rows of tables.
        headings: The titles of headings.
        uncounted: Parts that are measured, but not counted in the recall of the whole file.
    """

    parts: dict[str, list[Text]] = field(default_factory=dict)
    flow: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    uncounted: frozenset[str] = frozenset()

    def add(self, part: str, text: Text) -> None:
        """Adds a text to a part, unless there is no word in it."""
        if words(text if isinstance(text, str) else text[0]):
            self.parts.setdefault(part, []).append(text)


def words(text: str) -> list[str]:
    """Returns the words of a text, in the form in which they are compared.

    Examples:
        >>> words("The ﬁrst 1,200 km\u00b2")
        ['the', 'first', '1200', 'km2']
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    return _WORDS.findall(_THOUSANDS.sub("", greek(text)).casefold())


def greek(text: str) -> str:
    """Returns a text with Greek letters in place of the commands of TeX for them."""
    if "\\" not in text:
        return text
    return _GREEK.sub(lambda name: html.unescape(f"&{name[1]};"), text)
