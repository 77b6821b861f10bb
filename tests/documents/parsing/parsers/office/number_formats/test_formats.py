"""Numbers look as Excel shows them; the right values are Excel's own."""

from __future__ import annotations

import pytest

from managed_sync.documents.parsing.parsers.office.number_formats.formats import (
    BUILT_IN_FORMATS,
    NumberFormat,
    general,
)


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("0.0%", 0.125, "12.5%"),
        ('#,##0.00 "EUR"', 1234.5, "1,234.50 EUR"),
        ("[$€-407] #,##0.00", 1234.5, "€ 1,234.50"),
        ("#,##0.00;[Red](#,##0.00)", -1234.5, "(1,234.50)"),
        ('0;-0;"none"', 0, "none"),
        ("0.00", 2.675, "2.68"),
        ("0", -0.4, "0"),
        ("#,##0,", 1_234_567, "1,235"),
        ('0.0,,"M"', 12_345_678, "12.3M"),
        ("00000", 123, "00123"),
        ("000-00-0000", 123456789, "123-45-6789"),
        ("0.00E+00", 12345, "1.23E+04"),
        ("##0.0E+0", 12345, "12.3E+3"),
        ("# ?/?", 1.5, "1 1/2"),
        ("# ?/8", 0.25, "2/8"),
        ("?/?", 1.5, "3/2"),
        ("[<=9999999]###-####;(###) ###-####", 5551234567, "(555) 123-4567"),
        ("[>=1000]#,##0;0.00", 12, "12.00"),
        ('_-* #,##0.00\\ "€"_-', 5, "5.00 €"),
        (";;", 7, "7"),
        ("0.##", 5, "5"),
        ("#.##", 0.5, ".5"),
        ("@", 5, "5"),
        ('"v"0.0', 2, "v2.0"),
        ("General", 0.1 + 0.2, "0.3"),
    ],
)
def test_a_number_is_shown_by_its_format(code: str, value: float, shown: str) -> None:
    assert NumberFormat(code).show(value) == shown


@pytest.mark.parametrize(
    ("code", "days", "shown"),
    [
        ("yyyy-mm-dd", 46085, "2026-03-04"),
        ("dd/mm/yy", 46085, "04/03/26"),
        ("d. mmmm yyyy", 46085, "4. March 2026"),
        ("[$-407]ddd, d mmm", 46085, "Wed, 4 Mar"),
        ("h:mm", 0.5 + 1 / 24 / 60, "12:01"),
        ("h:mm AM/PM", 0.75, "6:00 PM"),
        ("hh:mm:ss.00", 0.25 + 0.5 / 86400, "06:00:00.50"),
        ("[h]:mm:ss", 1.25, "30:00:00"),
        ("[mm]:ss", 1 / 24, "60:00"),
        ("mm:ss", 90 / 86400, "01:30"),
        ("yyyy-mm-dd h:mm", 46085 + 59.6 / 86400, "2026-03-04 0:01"),
        ("m/d/yyyy", 1, "1/1/1900"),
        ("m/d/yyyy", 60, "2/29/1900"),
        ("m/d/yyyy", 61, "3/1/1900"),
        ("yyyy-mm-dd", -1, "-1"),
        ("yyyy-mm-dd", 3_000_000, "3000000"),
    ],
)
def test_a_day_number_is_shown_as_a_date(code: str, days: float, shown: str) -> None:
    assert NumberFormat(code).show(days) == shown


def test_days_count_from_1904_if_the_workbook_says_so() -> None:
    shown = NumberFormat("yyyy-mm-dd", since_1904=True)
    assert shown.show(46085 - 1462) == "2026-03-04"
    assert shown.show_date(46085) == "2026-03-04"
    # A duration is no day: it is counted from nothing.
    assert NumberFormat("[h]:mm", since_1904=True).show(1.25) == "30:00"


def test_dates_in_the_format_of_the_system_are_unambiguous() -> None:
    assert NumberFormat(BUILT_IN_FORMATS[14]).show(46085) == "2026-03-04"
    assert NumberFormat(BUILT_IN_FORMATS[22]).show(46085.5) == "2026-03-04 12:00"


def test_text_is_shown_by_the_section_for_text() -> None:
    assert NumberFormat('0;0;0;"Item "@').show_text("7") == "Item 7"
    assert NumberFormat(";;;").show_text("secret") == "secret"
    assert NumberFormat("0.00").show_text("7") == "7"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1200.0, "1200"),
        (-0.0, "0"),
        (1 / 3, "0.333333333333333"),
        (1e-7, "1E-07"),
        (1e20, "100000000000000000000"),
        (1e21, "1E+21"),
        (1e300, "1E+300"),
    ],
)
def test_a_number_without_a_format_has_the_digits_that_excel_keeps(
    value: float, shown: str
) -> None:
    assert general(value) == shown


@pytest.mark.parametrize("code", ['"', "E+"])
@pytest.mark.parametrize("value", [0.0, -1.5, 1e308, 1e-308])
def test_a_format_that_cannot_be_understood_is_ignored(code: str, value: float) -> None:
    assert NumberFormat(code).show(value) == general(value)


@pytest.mark.parametrize("code", ["[" * 300, "[$", ".", ",", "/", "_", "*"])
@pytest.mark.parametrize("value", [0.0, -1.5, 1e308, 1e-308])
def test_a_format_without_digits_is_shown_itself(code: str, value: float) -> None:
    assert NumberFormat(code).show(value) == code


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("0" * 400, ["0" * 400, f"-{'0' * 399}2", f"{'0' * 91}1{'0' * 308}", "0" * 400]),
        ("?/" * 100, ["0/1", "-3/2", f"1{'0' * 308}/1", "0/1"]),
        ("0/0", ["0/1", "-3/2", f"1{'0' * 308}/1", "0/1"]),
        ("0E+0E+0", ["0E+00E+0", "-2E+00E+0", "1E+308E+308", "1E-308E-308"]),
    ],
)
def test_a_format_that_nobody_would_write_keeps_the_number(code: str, shown: list[str]) -> None:
    assert [NumberFormat(code).show(value) for value in (0.0, -1.5, 1e308, 1e-308)] == shown
