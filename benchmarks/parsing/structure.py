"""Compares the structure that a parser keeps with the structure that the author wrote.

The sample company's Word, PowerPoint, Excel and PDF files are made from sources written by hand,
which say what is a heading, a row, an item, and where a page ends. Its web pages say so themselves.
"""

from __future__ import annotations

import difflib
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pypdf
from lxml import html

from scripts.make_sample_company import COMPANY, CONTENT
from scripts.sample_company.source import (
    Bullets,
    Heading,
    Note,
    PageBreak,
    Paragraph,
    Source,
    Table,
)

__all__ = ["Kept", "Truth", "kept", "sample_files"]

_HEADING = re.compile(r"(#{1,6}) (.+)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)]) (.+)")
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")
_WORDS = re.compile(r"\w+")
_FORMATS = ("docx", "pptx", "xlsx", "pdf", "html")


@dataclass
class Truth:
    """The structure of a file.

    Attributes:
        headings: Their paths, such as ``("Limits", "Speed")``, in order.
        rows: The rows of all tables, cell by cell.
        items: The items of all lists.
        texts: Everything that can be read, block by block, in order.
        pages: Pages, slides or sheets; 0 where the format has none.
    """

    headings: list[tuple[str, ...]] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    pages: int = 0


@dataclass(frozen=True)
class Kept:
    """Shares from 0 to 1 of what a parser kept; ``None`` where there was nothing to keep.

    Attributes:
        headings: Of the headings, with their paths; a heading that is none counts against it.
        rows: Of the rows of tables.
        items: Of the items of lists.
        pages: Whether the pages are told apart.
        words: Of the words.
        order: Of the blocks, those in reading order.
    """

    headings: float | None
    rows: float | None
    items: float | None
    pages: float | None
    words: float | None
    order: float | None


def sample_files() -> Iterator[tuple[str, Path, Truth]]:
    """The sample company's files whose structure is known, by format."""
    for path in sorted((COMPANY / "files").rglob("*")):
        kind = path.suffix.removeprefix(".")
        if kind == "html":
            yield kind, path, _of_html(path)
        elif kind in _FORMATS:
            source = CONTENT / path.relative_to(COMPANY / "files").with_suffix(path.suffix + ".md")
            yield kind, path, _of_source(Source.read(source), kind, path)


def kept(text: str, truth: Truth) -> Kept:
    """Compares a document's Markdown with the truth."""
    found = _of_markdown(text)
    return Kept(
        headings=_f1(found.headings, truth.headings),
        rows=_share(found.rows, truth.rows),
        items=_share(found.items, truth.items),
        pages=float(found.pages == truth.pages) if truth.pages else None,
        words=_share(_words([text]), _words(truth.texts)),
        order=_in_order(text, truth.texts),
    )


def _of_source(source: Source, kind: str, path: Path) -> Truth:
    truth = Truth()
    trail: list[tuple[int, str]] = []
    breaks = sheets = slides = 0
    for block in source.blocks():
        match block:
            case Heading(level, text):
                sheets += level == 1
                slides += level <= 2
                # Slides stand beside each other; a cell or a line of a slide is no heading.
                if (kind == "pptx" and level <= 2) or (kind == "xlsx" and level == 1):
                    truth.headings.append((_plain(text),))
                elif kind in {"docx", "pdf"}:
                    truth.headings.append(_path(trail, level, text))
                truth.texts.append(text)
            case Table(rows):
                truth.rows += [tuple(map(_plain, row)) for row in rows]
                truth.texts += [cell for row in rows for cell in row]
            case Bullets(items):
                # On a slide every line is one, and in a workbook it is a cell.
                truth.items += map(_plain, items if kind in {"docx", "pdf"} else ())
                truth.texts += items
            case Paragraph(text) | Note(text):
                truth.texts.append(text)
            case PageBreak():
                breaks += 1
    pages = {"pptx": slides, "xlsx": sheets, "docx": breaks + 1 if breaks else 0}
    truth.pages = pages.get(kind) or (
        len(pypdf.PdfReader(io.BytesIO(path.read_bytes())).pages) if kind == "pdf" else 0
    )
    return truth


def _of_html(path: Path) -> Truth:
    truth = Truth()
    trail: list[tuple[int, str]] = []
    body = html.document_fromstring(path.read_bytes()).find("body")
    for element in body.iter(
        "h1", "h2", "h3", "h4", "h5", "h6", "p", "li", "tr", "pre", "dt", "dd"
    ):
        text = " ".join(element.itertext())
        if element.tag.startswith("h"):
            truth.headings.append(_path(trail, int(element.tag[1]), text))
        elif element.tag == "tr":
            truth.rows.append(tuple(_plain(cell.text_content()) for cell in element))
        elif element.tag == "li" and element.find(".//li") is None:
            truth.items.append(_plain(text))
        if element.find(".//li") is None and element.find("p") is None:
            truth.texts.append(text)
    return truth


def _of_markdown(text: str) -> Truth:
    truth = Truth(pages=text.count("\f") + 1)
    trail: list[tuple[int, str]] = []
    for line in text.replace("\f", "\n").splitlines():
        if heading := _HEADING.fullmatch(line):
            truth.headings.append(_path(trail, len(heading[1]), heading[2]))
        elif line.startswith("|"):
            cells = _BETWEEN_CELLS.split(line.strip().strip("|"))
            truth.rows.append(tuple(_plain(cell) for cell in cells))
        elif item := _ITEM.fullmatch(line):
            truth.items.append(_plain(item[1]))
    return truth


def _path(trail: list[tuple[int, str]], level: int, text: str) -> tuple[str, ...]:
    while trail and trail[-1][0] >= level:
        trail.pop()
    trail.append((level, _plain(text)))
    return tuple(title for _, title in trail)


def _plain(text: str) -> str:
    """Words without what only marks them up, and numbers without what only formats them."""
    text = " ".join(re.sub(r"[*_`\\]", "", text).split())
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _words(texts: Sequence[str]) -> list[str]:
    return [word for text in texts for word in _WORDS.findall(text)]


def _share(found: Sequence[object], truth: Sequence[object]) -> float | None:
    return (Counter(found) & Counter(truth)).total() / len(truth) if truth else None


def _f1(found: Sequence[object], truth: Sequence[object]) -> float | None:
    if not truth:
        return None
    common = (Counter(found) & Counter(truth)).total()
    return 2 * common / (len(found) + len(truth))


def _in_order(text: str, blocks: Sequence[str]) -> float | None:
    words, expected = _words([text]), _words(blocks)
    if not expected:
        return None
    matcher = difflib.SequenceMatcher(None, words, expected, autojunk=False)
    return sum(match.size for match in matcher.get_matching_blocks()) / len(expected)
