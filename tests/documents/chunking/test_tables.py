"""Rows, headers and cells of the tables in a text."""

from __future__ import annotations

from itertools import pairwise

import pytest

from managed_sync.documents.chunking.outline import Outline
from managed_sync.documents.chunking.tables import Row, Tables, cells_of, row_of

HEADER = "| City | Limit |\n| --- | ---: |"
TABLE = f"{HEADER}\n| Oslo | 200 |\n  | Bergen | 90 |"


def tables(text: str) -> Tables:
    return Outline(text).tables


def found(text: str, row: Row | None) -> str | None:
    return None if row is None else text[row.start : row.end]


@pytest.mark.parametrize(
    "before", ["", "# Places\n\n", "Prose with | a bar.\n", "Page\n\n\f", "\f"]
)
@pytest.mark.parametrize("after", ["", "\n", "  \n\nProse", "\fPage"])
def test_each_row_is_found_from_any_offset_in_it(before: str, after: str) -> None:
    text = before + TABLE + after
    for row in (HEADER, "| Oslo | 200 |", "| Bergen | 90 |"):
        start = text.index(row)
        for offset in (start, start + 3, start + len(row) - 1):
            assert found(text, tables(text).row_at(offset)) == row
        assert tables(text).row_at(start + len(row)) is None
        assert tables(text).row_around(start) is None
        assert found(text, tables(text).row_around(start + 1)) == row


@pytest.mark.parametrize("before", ["", "Prose.\n\n", "\f"])
def test_every_row_but_the_header_has_the_names_of_the_columns(before: str) -> None:
    text = before + TABLE
    for word, header in (("City", None), ("---", HEADER[:16]), ("200", HEADER[:16])):
        offset = text.index(word)
        row = tables(text).row_at(offset)
        assert row
        assert found(text, tables(text).header_of(row, offset)) == header


@pytest.mark.parametrize(
    "text",
    [
        "| Oslo | 200 |\n| Bergen | 90 |",
        "|  |  |\n| --- | --- |\n| Bergen | 90 |",
        f"{TABLE}\n\n| Bergen | 90 |\n| Rome | 90 |",
        f"{TABLE}\n\f| Rome | 90 |\n| Bergen | 90 |",
    ],
)
def test_a_table_without_names_has_no_header(text: str) -> None:
    offset = text.rindex("90")
    row = tables(text).row_at(offset)
    assert row
    assert tables(text).header_of(row, offset) is None


def test_code_has_no_rows() -> None:
    text = f"```\n{TABLE}\n```\n"
    assert tables(text).row_at(text.index("Oslo")) is None
    assert not tables(text).has_row_on_line(text.index("Oslo"))


def test_rows_are_the_same_in_whatever_order_they_are_asked_for() -> None:
    text = "\n\n".join([TABLE, "Prose.", f"| Other |\n| --- |\n{'| row |' * 3}\n| Bergen |", TABLE])
    offsets = [*range(len(text)), *range(len(text) - 1, -1, -7)]
    one = tables(text)
    for offset in offsets:
        row, alone = one.row_at(offset), tables(text)
        assert row == alone.row_at(offset)
        if row:
            assert one.header_of(row, offset) == alone.header_of(row, offset)
            assert one.cells_before(row, offset) == alone.cells_before(row, offset)


def test_the_table_around_an_offset_is_whole_or_none() -> None:
    text = f"Prose.\n\n{TABLE}\n\nEnd."
    start, end = text.index("| City"), text.index("\n\nEnd")
    for offset in range(start + 1, end):
        assert tables(text).table_around(offset, 0, len(text)) == (start, end)
        assert tables(text).table_around(offset, start + 1, len(text)) is None
        assert tables(text).table_around(offset, 0, end - 1) is None


def test_cells_are_counted_and_found_without_escaped_bars() -> None:
    text = r"| a \| b | c | d |"
    row = Row(0, len(text))
    assert [tables(text).cells_before(row, offset) for offset in (0, 1, 7, 10, 14)] == [
        0,
        1,
        1,
        2,
        3,
    ]
    assert tables(text).last_cell(1, 9) is None
    assert tables(text).last_cell(1, 12) == text.index("| c")


def test_cells_become_the_row_that_they_were() -> None:
    for row in (r"| a \| b | | c |", "| one |"):
        assert row_of(cells_of(row)) == row
    assert row_of([]) == ""


def test_cells_are_counted_in_the_longest_row_and_in_the_one_that_follows() -> None:
    text = f"{HEADER}\n" + "| cell " * 200_000 + "|\n" + "| a | b |\n" * 50_000
    one, columns = tables(text), []
    for offset in range(0, len(text), 500):
        row = one.row_at(offset)
        if row:
            one.header_of(row, offset)
            columns.append(one.cells_before(row, offset))
    assert max(columns) > 199_000
    assert any(after < before for before, after in pairwise(columns))
