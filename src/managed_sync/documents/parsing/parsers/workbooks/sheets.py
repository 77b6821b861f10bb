"""Writes the sheets of a workbook as Markdown: a page, a heading and tables for each of them.

Only cells with something in them take time and memory, wherever in the sheet they are.

- A blank row ends a table if what follows begins as a table does: with words only.
- The rows with a single cell above a table are its titles, and become paragraphs.
- Columns in which a table has nothing are left out.
- Hidden sheets, rows and columns are read: any reader of the file can unhide them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from managed_sync.documents.parsing.markdown_writer import (
    heading,
    join_blocks,
    join_pages,
    paragraph,
    table,
)
from managed_sync.errors import ParsingError

__all__ = ["Comment", "Figure", "Row", "Sheet", "comment", "write_workbook"]

# A table with cells all over a sheet is mostly blanks: then only its filled cells are written.
_MAX_BLANKS = 20_000
_MAX_BLANK_SHARE = 0.98
_SENTENCE = 60
_MAX_CHARACTERS = 100_000_000


class Figure(str):
    """The text of a cell with a number, a date or the like, which no table's header has."""

    __slots__ = ()


Row = dict[int, str]


@dataclass(frozen=True)
class Comment:
    """A comment on a cell, as a paragraph."""

    row: int
    text: str


@dataclass
class Sheet:
    """A sheet.

    Attributes:
        rows: The cells with something in them, by row and column.
        tables: First and last row of each table that is declared as one.
        comments: The comments on cells.
        others: The paragraphs of text boxes, charts and pictures.
    """

    name: str
    rows: dict[int, Row] = field(default_factory=dict)
    tables: list[tuple[int, int]] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def comment(text: str, author: str = "") -> str:
    """Writes the paragraph of a comment."""
    who = " ".join(author.split())
    words = text.strip()
    if who and words.startswith(f"{who}:"):
        # Excel writes the author into the text of a comment, too.
        words = words[len(who) + 1 :].strip()
    return paragraph(f"Comment ({who}): {words}" if who else f"Comment: {words}") if words else ""


def write_workbook(sheets: Iterable[Sheet]) -> str:
    """Writes all sheets that have something in them.

    Raises:
        ParsingError: The cells have more text than any reader wants: a small file can hold one
            long text and name it in a million cells.
    """
    pages = []
    left = _MAX_CHARACTERS
    for sheet in sheets:
        left -= sum(len(text) for row in sheet.rows.values() for text in row.values())
        if left < 0:
            raise ParsingError(f"its cells hold more than {_MAX_CHARACTERS:,} characters of text")
        text = join_blocks(_sheet_blocks(sheet))
        if text:
            pages.append(join_blocks([heading(sheet.name, 1), text]))
    return join_pages(pages)


def _sheet_blocks(sheet: Sheet) -> Iterator[str]:
    comments = sorted(sheet.comments, key=lambda one: one.row)
    written = 0
    for last, rows in _tables(sheet):
        yield from _table_blocks(rows)
        while written < len(comments) and comments[written].row <= last:
            yield comments[written].text
            written += 1
    yield from (one.text for one in comments[written:])
    yield from sheet.others


def _tables(sheet: Sheet) -> Iterator[tuple[int, list[Row]]]:
    """Yields the rows of each table, and the number of its last row."""
    starts = {first for first, _ in sheet.tables} | {last + 1 for _, last in sheet.tables}
    rows: list[Row] = []
    before = 0
    numbers = sorted(number for number, row in sheet.rows.items() if row)
    for number in numbers:
        row = sheet.rows[number]
        follows = number == before + 1
        if rows and (number in starts or (not follows and _begins_table(row, rows))):
            yield before, rows
            rows = []
        rows.append(row)
        before = number
    if rows:
        yield before, rows


def _begins_table(row: Row, before: Sequence[Row]) -> bool:
    """Tells whether a row after a blank row begins something new."""
    if len(row) == 1 or all(len(other) == 1 for other in before):
        return True
    return not any(isinstance(text, Figure) for text in row.values())


def _titles(rows: Sequence[Row]) -> int:
    """Returns how many rows with a single cell are titles above a table."""
    first = next((index for index, row in enumerate(rows) if len(row) > 1), 0)
    if not first:
        return 0
    columns = sorted({column for row in rows[first:] for column in row})
    (column,) = rows[first - 1]
    # The name of one column only, as for rows that have numbers in place of names.
    is_last = column == columns[-1]
    has_figures = any(isinstance(text, Figure) for text in rows[first].values())
    is_first = len(columns) == 2 and column == columns[0] and has_figures
    return first - 1 if is_last or is_first else first


def _table_blocks(rows: list[Row]) -> Iterator[str]:
    columns = sorted({column for row in rows for column in row})
    if len(columns) == 1:
        texts = [text for row in rows for text in row.values()]
        if len(texts) == 1 or sum(map(len, texts)) > _SENTENCE * len(texts):
            # A lone cell, or sentences below each other: no table.
            yield from map(paragraph, texts)
            return
    titles = _titles(rows)
    for row in rows[:titles]:
        yield from map(paragraph, row.values())
    rows = rows[titles:]
    if titles:
        columns = sorted({column for row in rows for column in row})
    area = len(columns) * len(rows)
    filled = sum(map(len, rows))
    if area - filled > _MAX_BLANKS and filled < area * (1 - _MAX_BLANK_SHARE):
        yield table([row[column] for column in sorted(row)] for row in rows)
    else:
        yield table([row.get(column, "") for column in columns] for row in rows)
