"""Turns the lines of a PDF's pages into paragraphs, lists, tables and headings.

A PDF has no paragraphs, only lines at positions. Candidates for headings come from a guess by size
of type, made elsewhere, and from numbered titles ("2.1 Limits"). A candidate is rejected if it
reads like a sentence, continues in small letters, or occurs on every page.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.markdown_writer import PAGE_BREAK
from managed_sync.documents.parsing.parsers.pdf_tables import Table, with_tables

__all__ = ["pages_to_markdown"]

_BULLET = re.compile(r"[•◦▪‣●○■□–]\s+")  # noqa: RUF001 - dashes are used as bullets
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})[.)]?\s+(?=[^\W\d_])")
_SENTENCE = re.compile(r"[.!?;:,。！？؟।]($|\s)")  # noqa: RUF001 - several scripts
_SENTENCE_ENDS = (".", "!", "?", ":", "。", "！", "？", "؟", "।")  # noqa: RUF001
_PAGE_NUMBER = re.compile(
    r"^\W*\d+\W*$|\b(?:page|seite|página|pagina|p\.)\s*\d+|\b\d+\s*(?:/|of|von|de|di)\s*\d+",
    re.IGNORECASE,
)
_MAX_HEADING = 90
# A line ends on purpose if the next word would have fit into this part of the widest line.
_FULL = 0.9
# A heading is set in larger type, so a line of it is full sooner.
_WRAPPED = 0.45


def pages_to_markdown(
    pages: Sequence[str],
    headings: Sequence[Mapping[str, int]],
    tables: Sequence[Sequence[Table]] | None = None,
) -> str:
    r"""Returns the pages as Markdown with ``"\f"`` between them.

    Args:
        pages: The text of each page, line by line.
        headings: For each page, the candidates for headings with their levels; one that takes two
            lines has a line break in it.
        tables: For each page, the known tables; their text is in the page's lines, too.

    Examples:
        >>> pages_to_markdown(["Limits\nThe arm lifts 40 kg."], [{"Limits": 1}])
        '# Limits\n\nThe arm lifts 40 kg.'
    """
    lines = [[line.strip() for line in _plain(page).split("\n")] for page in pages]
    running = _running_lines(lines)
    texts = []
    known = tables or [()] * len(pages)
    for number, (page, levels, found) in enumerate(zip(lines, headings, known, strict=True)):
        kept = [line for line in page if number == 0 or not _is_dropped(line, running)]
        kept = with_tables(kept, found)
        widest = max((len(line) for line in kept if not _is_table(line)), default=0)
        kept, guessed = _with_wrapped_headings_joined(kept, levels, widest)
        guessed = {line: level for line, level in guessed.items() if _shape(line) not in running}
        title = _title(kept, running) if number == 0 else ""
        texts.append(markdown.join_blocks(_Page(kept, guessed, title, widest).blocks()))
    return f"\n\n{PAGE_BREAK}".join(texts)


def _plain(text: str) -> str:
    return markdown.clean(text).replace(PAGE_BREAK, "\n")


def _shape(line: str) -> str:
    """Returns a line without its page number, the only part that changes in headers and footers."""
    return _PAGE_NUMBER.sub("#", line)


def _running_lines(pages: Sequence[Sequence[str]]) -> set[str]:
    """Returns the headers and footers: lines at an edge of more than half of the pages."""
    if len(pages) < 2:
        return set()
    edges = Counter(
        shape
        for page in pages
        for shape in {_shape(line) for line in (*page[:2], *page[-2:]) if line}
    )
    return {shape for shape, count in edges.items() if count > len(pages) / 2}


def _is_dropped(line: str, running: set[str]) -> bool:
    """Tells whether a line is a header or footer with a page number; others are kept."""
    return _PAGE_NUMBER.search(line) is not None and _shape(line) in running


def _with_wrapped_headings_joined(
    lines: Sequence[str], levels: Mapping[str, int], widest: int
) -> tuple[list[str], dict[str, int]]:
    """Joins headings that take two lines; returns the lines and the headings among them."""
    guessed: dict[str, int] = {}
    wrapped: dict[tuple[str, ...], str] = {}
    for heading, level in levels.items():
        parts = tuple(line.strip() for line in heading.splitlines() if line.strip())
        whole = " ".join(parts)
        # A short line was not wrapped, so the next line is not part of it.
        if all(len(part) > _WRAPPED * widest for part in parts[:-1]) and _may_be_title(whole):
            guessed[whole] = level
            wrapped[parts] = whole
        else:
            guessed |= dict.fromkeys(parts, level)
    joined: list[str] = []
    for line in lines:
        joined.append(line)
        for length in {len(parts) for parts in wrapped} - {1}:
            if whole := wrapped.get(tuple(joined[-length:]), ""):
                joined[-length:] = [whole]
    return joined, guessed


def _title(lines: Sequence[str], running: set[str]) -> str:
    """Returns the first line of a document if it can be its title."""
    first = next((line for line in lines if line and _shape(line) not in running), "")
    return first if _may_be_title(first) else ""


def _may_be_title(line: str) -> bool:
    return len(line) <= _MAX_HEADING and not line.endswith(_SENTENCE_ENDS)


class _Page:
    """The lines of one page, to be joined into blocks."""

    def __init__(
        self, lines: Sequence[str], guessed: Mapping[str, int], title: str, widest: int
    ) -> None:
        self._lines = lines
        self._guessed = guessed
        self._title = title
        self._widest = widest

    def blocks(self) -> Iterator[str]:
        """Yields headings, list items and paragraphs, in order."""
        block = ""
        for index, line in enumerate(self._lines):
            if _is_table(line):
                yield _block(block)
                yield line
                block = ""
                continue
            level = self._heading_level(index, begins_block=not block)
            if level or _BULLET.match(line) or not line:
                yield _block(block)
                block = ""
            if level:
                yield markdown.heading(line, level)
                continue
            block += line
            if not self._ends_on_purpose(index):
                block += " "
            elif line.endswith(_SENTENCE_ENDS) or _BULLET.match(block):
                yield _block(block)
                block = ""
            else:
                # A row of a table, a line of an address, a heading that was not recognized.
                block += "\n"
        yield _block(block)

    def _ends_on_purpose(self, index: int) -> bool:
        following = self._line(index + 1)
        if _is_table(following):
            return True
        first_word = following.partition(" ")[0]
        room_for_next = len(self._line(index)) + 1 + len(first_word) < _FULL * self._widest
        return room_for_next and not following[:1].islower()

    def _heading_level(self, index: int, *, begins_block: bool) -> int:
        """Returns the level of a line that is a heading; 0 for any other line."""
        line = self._lines[index]
        if line and line == self._title and self._ends_on_purpose(index):
            return 1
        number = _NUMBERED.match(line)
        if number:
            return 2 + _depth(number) if self._is_title_of_section(index, number) else 0
        level = self._guessed.get(line, 0)
        doubtful = not begins_block or _reads_like_text(line) or self._is_head_of_table(index)
        return 0 if doubtful else level

    def _is_title_of_section(self, index: int, number: re.Match[str]) -> bool:
        """Tells whether a numbered line is a title, and not a list item or a row of a table."""
        line, before, after = self._lines[index], self._line(index - 1), self._line(index + 1)
        begins_block = (
            not before
            or _is_table(before)
            or before.endswith(_SENTENCE_ENDS)
            or self._goes_before(index)
        )
        return (
            begins_block
            and self._ends_on_purpose(index)
            # The size of type tells a title from a list item; without it, the words decide.
            and (line in self._guessed or not _reads_like_text(line[number.end() :]))
            and all(_depth(_NUMBERED.match(other)) != _depth(number) for other in (before, after))
        )

    def _is_head_of_table(self, index: int) -> bool:
        """Tells whether several words are above a line that ends on purpose, but not a sentence."""
        row = self._line(index + 1)
        return (
            len(self._lines[index].split()) > 2
            and not _is_table(row)
            and self._ends_on_purpose(index + 1)
            and not row.endswith(_SENTENCE_ENDS)
        )

    def _goes_before(self, index: int) -> bool:
        return index > 0 and self._ends_on_purpose(index - 1)

    def _line(self, index: int) -> str:
        return self._lines[index] if 0 <= index < len(self._lines) else ""


def _is_table(line: str) -> bool:
    return "\n" in line


def _reads_like_text(title: str) -> bool:
    return len(title) > _MAX_HEADING or title[:1].islower() or _SENTENCE.search(title) is not None


def _depth(number: re.Match[str] | None) -> int:
    return number.group(1).count(".") if number else -1


def _block(text: str) -> str:
    """Writes one paragraph or list item."""
    if bullet := _BULLET.match(text):
        return markdown.list_item(text[bullet.end() :])
    return markdown.paragraph(text.strip())
