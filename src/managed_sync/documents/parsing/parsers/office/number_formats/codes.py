"""Splits the codes of number formats, such as ``#,##0.00 "EUR";[Red]-0``, into tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["Code", "Kind", "Section", "Token", "parse_code"]

# Longer codes than Excel's own limit are not formats.
_MAX_CODE = 512
_TOKENS = re.compile(
    r"""
      "(?P<quoted>[^"]*)"? | \\(?P<escaped>.) | _(?P<blank>.) | \*(?P<fill>.)
    | \[(?P<elapsed>h+|m+|s+)\] | \[(?P<bracket>[^\]]*)\]
    | (?P<general>general) | (?P<clock>am/pm|a/p|上午/下午)
    | (?P<date>y+|m+|d+|h+|s+|e+(?![+-])|b+|g+|aaaa?)
    | (?P<exponent>e[+-]) | (?P<digit>[0#?]) | (?P<at>@) | (?P<other>.)
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?\d+(?:\.\d+)?)")


Kind = Enum(
    "Kind",
    [
        "TEXT",
        "DIGIT",
        "POINT",
        "COMMA",
        "PERCENT",
        "EXPONENT",
        "SLASH",
        "DATE",
        "ELAPSED",
        "CLOCK",
        "GENERAL",
        "VALUE",
    ],
)
"""The kinds of tokens."""


@dataclass(frozen=True)
class Token:
    """A part of a format: its kind, and its letters or the text that it shows."""

    kind: Kind
    text: str


@dataclass
class Section:
    """One of the parts that semicolons separate.

    Attributes:
        condition: The comparison and the number that decide whether the section applies.
    """

    tokens: list[Token] = field(default_factory=list)
    condition: tuple[str, float] | None = None

    def has(self, *kinds: Kind) -> bool:
        """Tells whether a token is of one of the kinds."""
        return any(token.kind in kinds for token in self.tokens)

    def is_date(self) -> bool:
        """Tells whether numbers are shown as dates, times or durations."""
        return self.has(Kind.DATE, Kind.ELAPSED, Kind.CLOCK)

    def accepts(self, value: float) -> bool:
        """Tells whether the section's condition, if there is one, holds for a number."""
        if self.condition is None:
            return True
        sign, limit = self.condition
        return {
            "<": value < limit,
            "<=": value <= limit,
            ">": value > limit,
            ">=": value >= limit,
            "=": value == limit,
            "<>": value != limit,
        }[sign]


@dataclass(frozen=True)
class Code:
    """A format: its sections for numbers, and the one for text."""

    sections: tuple[Section, ...]
    text: Section | None


def parse_code(code: str) -> Code:
    """Returns the sections of a format."""
    sections = [Section()]
    for found in _TOKENS.finditer(code[:_MAX_CODE]):
        if found["other"] == ";":
            sections.append(Section())
        else:
            _add(sections[-1], found)
    numbers = sections[:3]
    text = sections[3] if len(sections) > 3 else None
    if text is None and sections[-1].has(Kind.VALUE):
        text = sections[-1]
        numbers = sections[:-1] or sections
    return Code(tuple(numbers), text)


def _add(section: Section, found: re.Match[str]) -> None:
    kind, text = str(found.lastgroup), found[str(found.lastgroup)]
    match kind:
        case "quoted" | "escaped":
            token = Token(Kind.TEXT, text)
        case "blank":
            # As wide as a letter, to align columns; a bracket or a minus leaves no gap to read.
            token = Token(Kind.TEXT, " ")
        case "fill":
            return
        case "bracket":
            if condition := _CONDITION.fullmatch(text):
                section.condition = (condition[1], float(condition[2]))
            # "[$€-407]" shows a currency; colors and languages show nothing.
            token = Token(Kind.TEXT, text[1:].partition("-")[0] if text.startswith("$") else "")
        case "other":
            kinds = {".": Kind.POINT, ",": Kind.COMMA, "%": Kind.PERCENT, "/": Kind.SLASH}
            token = Token(kinds.get(text, Kind.TEXT), text)
        case "at":
            token = Token(Kind.VALUE, text)
        case _:
            token = Token(Kind[kind.upper()], text)
    section.tokens.append(token)
