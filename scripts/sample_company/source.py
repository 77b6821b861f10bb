"""The sources that the binary files are made from: a small part of Markdown below a few headers.

    title: Remote work policy
    author: Priya Raman
    date: 2026-01-12

    # A heading; ## and ### are the levels below it
    A paragraph, which may run over several lines.

    - a bullet

    | a table | with a header |
    |---|---|
    | and | rows |

    > A note: a speaker's note on a slide, a remark elsewhere.

    ---

The last line starts a new page.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the highest."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list without numbers."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first row is the header."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Note:
    """A remark beside the text."""

    text: str


@dataclass(frozen=True)
class PageBreak:
    """The start of a new page."""


Block = Heading | Paragraph | Bullets | Table | Note | PageBreak


@dataclass(frozen=True)
class Source:
    """One source: its headers, with names in small letters, and its text.

    Attributes:
        path: Where it was read from, for messages.
    """

    path: Path
    headers: dict[str, str]
    text: str

    @classmethod
    def read(cls, path: Path) -> Source:
        """Reads a source.

        Raises:
            ValueError: A header line has no colon; the message names the file and the line.
        """
        head, _, text = path.read_text(encoding="utf-8").partition("\n\n")
        headers = {}
        for line in head.splitlines():
            name, colon, value = line.partition(":")
            if not colon:
                raise ValueError(f"{path}: {line!r} is not a header; write 'title: …'.")
            headers[name.strip().lower()] = value.strip()
        return cls(path, headers, text.strip())

    def __getitem__(self, header: str) -> str:
        if header not in self.headers:
            raise ValueError(f"{self.path}: the header '{header}:' is missing.")
        return self.headers[header]

    @property
    def date(self) -> datetime:
        """The header ``date``, at noon UTC where it names no time."""
        date = datetime.fromisoformat(self["date"])
        if "T" not in self["date"]:
            date = date.replace(hour=12)
        return date if date.tzinfo else date.replace(tzinfo=UTC)

    def blocks(self) -> Iterator[Block]:
        """The text, taken apart."""
        for chunk in self.text.split("\n\n"):
            for kind, lines in groupby(chunk.strip().splitlines(), key=_kind):
                yield from _blocks(kind, list(lines))


def _kind(line: str) -> str:
    if line == "---":
        return "---"
    marker = line.split(" ", 1)[0]
    if set(marker) == {"#"} or marker in {"-", ">"}:
        return marker
    return "|" if line.startswith("|") else ""


def _blocks(kind: str, lines: list[str]) -> Iterator[Block]:
    if kind.startswith("#"):
        yield from (Heading(len(kind), line[len(kind) + 1 :]) for line in lines)
    elif kind == "-":
        yield Bullets(tuple(line[2:] for line in lines))
    elif kind == ">":
        yield Note(" ".join(line[2:] for line in lines))
    elif kind == "---":
        yield PageBreak()
    elif kind == "|":
        rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
        yield Table((rows[0], *rows[2:]))
    else:
        yield Paragraph(" ".join(line.strip() for line in lines))
