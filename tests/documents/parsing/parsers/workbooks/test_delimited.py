"""CSV files become the table that their author saw."""

from __future__ import annotations

import pytest

from managed_sync.documents.parsing.registry import parse
from tests.documents.growth import assert_ends, assert_linear


def rows_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("| ---")]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        ('path,re\nC:\\new\\table,"\\d|\\|x"\n', ["| path | re |", r"| C:\new\table | \d\|\\|x |"]),
        ("id,id,\n1,2,3\n", ["| id | id |  |", "| 1 | 2 | 3 |"]),
        (",,\n,,\na,b,c\n,,\n", ["| a | b | c |"]),
        ("Names\nSmith, John\nDoe, Jane\n", ["| Names |", "| Smith, John |", "| Doe, Jane |"]),
        ("a, b\n1, 2\n", ["| a | b |", "| 1 | 2 |"]),
        ("sep=;\nName;Wert\na;1\n", ["| Name | Wert |", "| a | 1 |"]),
        (
            "Name;Preis\nÄpfel;1,50\nBirnen;2,75\n",
            ["| Name | Preis |", "| Äpfel | 1,50 |", "| Birnen | 2,75 |"],
        ),
        ("a\tb\n1\t2\n", ["| a | b |", "| 1 | 2 |"]),
        ("a,b\n1,2,3\n4\n", ["| a | b |  |", "| 1 | 2 | 3 |", "| 4 |  |  |"]),
        ("text\n# 5 items\n", ["| text |", "| # 5 items |"]),
        (
            'Export of 2026-01-01\nAccount: 12345\n\nDate,Amount\n2026-01-01,"1,234.50"\n',
            [
                "Export of 2026-01-01",
                "Account: 12345",
                "| Date | Amount |",
                "| 2026-01-01 | 1,234.50 |",
            ],
        ),
    ],
)
def test_a_csv_file_is_a_table(data: str, rows: list[str]) -> None:
    assert rows_of(parse(data.encode(), content_type="text/csv", filename="a.csv")) == rows


def test_a_csv_file_of_excel_in_utf_16_is_a_table() -> None:
    text = parse("a\tb\r\nü\t2\r\n".encode("utf-16"), content_type="text/csv", filename="a.csv")
    assert rows_of(text) == ["| a | b |", "| ü | 2 |"]


def test_a_quote_that_is_never_closed_swallows_no_other_line() -> None:
    data = 'a,b\n"two\nlines","say ""hi"""\n"open,1\n2,3\n4,"x"\n'
    assert rows_of(parse(data.encode(), filename="a.csv")) == [
        "| a | b |",
        '| two lines | say "hi" |',
        '| "open | 1 |',
        "| 2 | 3 |",
        "| 4 | x |",
    ]


def test_many_open_quotes_take_time_proportional_to_the_size() -> None:
    def read(rows: int) -> str:
        return parse(("a,b\n" + '"open,1\n' * rows).encode(), filename="a.csv")

    assert_linear(read, 500)
    assert_ends(lambda: read(20_001))
    assert read(2_001).count("open") == 2_001


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (",Name\n0,Ann\n1,Bob\n", ["|  | Name |", "| --- | --- |", "| 0 | Ann |", "| 1 | Bob |"]),
        (",,Name\na,x,Ann\n", ["|  |  | Name |", "| --- | --- | --- |", "| a | x | Ann |"]),
        ("Item,\na,1\n", ["| Item |  |", "| --- | --- |", "| a | 1 |"]),
        (
            "Prices 2026,\nItem,Price\na,1\n",
            ["Prices 2026", "", "| Item | Price |", "| --- | --- |", "| a | 1 |"],
        ),
        ("Prices,\n,\na,1\n", ["Prices", "", "| a | 1 |", "| --- | --- |"]),
        ("Prices,,\na,1,2\n", ["Prices", "", "| a | 1 | 2 |", "| --- | --- | --- |"]),
    ],
)
def test_the_name_of_a_single_column_is_no_title(data: str, rows: list[str]) -> None:
    assert parse(data.encode(), content_type="text/csv", filename="a.csv").splitlines() == rows
