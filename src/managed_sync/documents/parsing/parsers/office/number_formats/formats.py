"""Shows numbers as a workbook's number formats show them: ``0.125`` as ``12.5%``.

Formats are read as in the English version of Excel. Dates in the formats that Excel takes from the
system's settings are written as ``2026-03-04``, since nothing says whose settings they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal
from functools import lru_cache

from managed_sync.documents.parsing.parsers.office.number_formats.codes import (
    Kind,
    Section,
    Token,
    parse_code,
)
from managed_sync.documents.parsing.parsers.office.number_formats.dates import format_date
from managed_sync.documents.parsing.parsers.office.number_formats.fractions import format_fraction

__all__ = [
    "BUILT_IN_FORMATS",
    "FIXED_FORMATS",
    "NumberFormat",
    "formats_of_styles",
    "general",
]

_DATE = "yyyy-mm-dd"
BUILT_IN_FORMATS: dict[int, str] = {
    **dict.fromkeys([*range(27, 32), 36, *range(50, 59)], _DATE),
    **dict.fromkeys([32, 33, 34, 35], "h:mm:ss"),
    0: "General",
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    5: '"$"#,##0_);("$"#,##0)',
    6: '"$"#,##0_);("$"#,##0)',
    7: '"$"#,##0.00_);("$"#,##0.00)',
    8: '"$"#,##0.00_);("$"#,##0.00)',
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    14: _DATE,
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: f"{_DATE} h:mm",
    37: "#,##0_);(#,##0)",
    38: "#,##0_);(#,##0)",
    39: "#,##0.00_);(#,##0.00)",
    40: "#,##0.00_);(#,##0.00)",
    41: '_(* #,##0_);_(* (#,##0);_(* "-"_);_(@_)',
    42: '_("$"* #,##0_);_("$"* (#,##0);_("$"* "-"_);_(@_)',
    43: '_(* #,##0.00_);_(* (#,##0.00);_(* "-"??_);_(@_)',
    44: '_("$"* #,##0.00_);_("$"* (#,##0.00);_("$"* "-"??_);_(@_)',
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
}
# Those that a workbook cannot define for itself: Excel takes them from the system's settings.
FIXED_FORMATS = {number: BUILT_IN_FORMATS[number] for number in (0, 14, 22)}
_SIGNIFICANT = 15
# A number of 308 digits with all the decimals that a format can ask for.
_EXACT = Context(prec=1000)


def general(value: float) -> str:
    """Returns a number as the format "General" shows it in a column that is wide enough.

    Examples:
        >>> general(0.1 + 0.2), general(1200.0), general(1e-7)
        ('0.3', '1200', '1E-07')
    """
    text = f"{value:.{_SIGNIFICANT}g}"
    mantissa, has_exponent, exponent = text.partition("e")
    power = int(exponent or 0)
    if has_exponent and -5 <= power < 21:
        text = f"{Decimal(text):f}"
    elif has_exponent:
        text = f"{mantissa}E{power:+03d}"
    return "0" if text == "-0" else text


def formats_of_styles(
    styles: Iterable[int], codes: Mapping[int, str], *, since_1904: bool = False
) -> list[NumberFormat]:
    """Returns the format of each style of a workbook; there is at least one.

    Args:
        styles: The numbers of the styles' formats.
        codes: The codes of the formats that the workbook defines, by number.
        since_1904: Whether the workbook counts days from 1904.
    """
    made: dict[str, NumberFormat] = {}
    formats = []
    for number in [*styles] or [0]:
        code = codes.get(number, BUILT_IN_FORMATS.get(number, "General"))
        if code not in made:
            made[code] = NumberFormat(code, since_1904=since_1904)
        formats.append(made[code])
    return formats


class NumberFormat:
    """A compiled number format.

    Args:
        code: The format's code, such as ``0.0%``.
        since_1904: Whether the workbook counts days from 1904, as old ones of the Macintosh do.

    Examples:
        >>> NumberFormat('#,##0.00 "EUR"').show(1234.5)
        '1,234.50 EUR'
    """

    def __init__(self, code: str, *, since_1904: bool = False) -> None:
        self._code = parse_code(code)
        self._days = 1462 if since_1904 else 0
        self.is_general = code.strip().lower() in {"", "general", "@"}
        # A column of numbers repeats many of them.
        self.show = lru_cache(maxsize=4096)(self._show)

    def is_date(self) -> bool:
        """Tells whether numbers are shown as dates, times or durations."""
        return any(section.is_date() for section in self._code.sections)

    def show_date(self, days: float) -> str:
        """Returns a date given as days since 1899-12-30, also in workbooks that count from 1904."""
        return self._show(days - self._days)

    def show_text(self, text: str) -> str:
        """Returns a text as the format's section for text shows it."""
        if self._code.text is None or not self._code.text.has(Kind.VALUE):
            # A section without "@" hides text from the eye; it is in the cell nevertheless.
            return text
        tokens = self._code.text.tokens
        return "".join(text if token.kind is Kind.VALUE else _literal(token) for token in tokens)

    def _show(self, value: float) -> str:
        section, shown = self._chosen(value)
        # ";;" hides numbers from the eye; they are in the cell nevertheless.
        if section is None or not section.tokens:
            return general(value)
        if section.is_date():
            days = value + self._days
            return format_date(section, days, first_day=self._days) or general(value)
        return _in_section(section, shown).strip() or general(value)

    def _chosen(self, value: float) -> tuple[Section | None, float]:
        """Returns the section for a number, and the number without the sign that it implies."""
        sections = self._code.sections
        if any(section.condition for section in sections):
            for section in sections:
                if section.accepts(value):
                    # "[<0]" stands for the section of negative numbers, which has its own sign.
                    return section, abs(value) if section.condition == ("<", 0.0) else value
            return None, value
        if len(sections) > 2 and value == 0:
            return sections[2], value
        if len(sections) > 1 and value < 0:
            return sections[1], -value
        return sections[0], value


def _in_section(section: Section, value: float) -> str:
    """Returns a number as a section that is no date shows it."""
    if section.has(Kind.GENERAL, Kind.VALUE):
        return "".join(
            general(value) if token.kind in {Kind.GENERAL, Kind.VALUE} else _literal(token)
            for token in section.tokens
        )
    if not section.has(Kind.DIGIT):
        return "".join(map(_literal, section.tokens))
    number = Decimal(f"{value:.{_SIGNIFICANT}g}")
    if section.has(Kind.SLASH) and (text := format_fraction(section, number)):
        return text
    return _number(section, number)


def _literal(token: Token) -> str:
    return token.text if token.kind not in {Kind.DIGIT, Kind.EXPONENT} else ""


def _number(section: Section, number: Decimal) -> str:
    tokens = section.tokens
    exponent_at = next((i for i, t in enumerate(tokens) if t.kind is Kind.EXPONENT), len(tokens))
    digits = [i for i, t in enumerate(tokens[:exponent_at]) if t.kind is Kind.DIGIT]
    point = next((i for i, t in enumerate(tokens[:exponent_at]) if t.kind is Kind.POINT), None)
    whole = [i for i in digits if point is None or i < point]
    decimals = [i for i in digits if point is not None and i > point]
    last = whole[-1] if whole else -1
    commas = [i for i, t in enumerate(tokens) if t.kind is Kind.COMMA]
    # A comma among the digits groups them; commas after them show thousands or millions.
    grouped = any(whole and whole[0] < i < last for i in commas)
    end = digits[-1] if digits else -1
    scale = sum(1 for i in commas if last < i and (i < (point or end + 1 + len(commas)) or i > end))
    percents = sum(1 for token in tokens if token.kind is Kind.PERCENT)
    number = number.scaleb(2 * percents - 3 * scale)
    power = 0
    if exponent_at < len(tokens) and number:
        step = max(1, len(whole))
        power = number.adjusted() // step * step
        rounded = _rounded(number.scaleb(-power), len(decimals))
        if abs(rounded) >= Decimal(10) ** step:
            power += step
        number = number.scaleb(-power)
    number = _rounded(number, len(decimals))
    before, _, after = f"{abs(number):f}".partition(".")
    shown: dict[int, str] = dict(
        zip(decimals, _decimals([tokens[i].text for i in decimals], after), strict=True)
    )
    shown |= _whole([(i, tokens[i].text) for i in whole], before.lstrip("0"), grouped=grouped)
    parts = ["-"] if number < 0 else []
    for index, token in enumerate(tokens):
        if index > exponent_at and token.kind is Kind.DIGIT:
            continue
        if index in shown:
            parts.append(shown[index])
        elif token.kind is Kind.POINT and index == point:
            has_decimals = any(shown[i].strip() for i in decimals) or not decimals
            parts.append(f"{'' if whole else before.lstrip('0')}{'.' if has_decimals else ''}")
        elif token.kind is Kind.EXPONENT:
            width = sum(1 for t in tokens[index:] if t.kind is Kind.DIGIT and t.text == "0")
            sign = "-" if power < 0 else "+" if token.text.endswith("+") else ""
            parts.append(f"{token.text[0]}{sign}{abs(power):0{max(1, width)}d}")
        elif token.kind is not Kind.COMMA:
            parts.append(_literal(token))
    return "".join(parts)


def _rounded(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT)


def _decimals(places: list[str], digits: str) -> list[str]:
    """Fills the places after the point; zeros at their end are shown only where a 0 asks for it."""
    shown = list(digits.ljust(len(places), "0"))
    for index in reversed(range(len(places))):
        if shown[index] != "0" or places[index] == "0":
            break
        shown[index] = "" if places[index] == "#" else " "
    return shown


def _whole(places: list[tuple[int, str]], digits: str, *, grouped: bool) -> dict[int, str]:
    """Fills the places before the point from the right; the first one takes all digits left."""
    shown: dict[int, str] = {}
    count = 0
    for number, (index, place) in enumerate(reversed(places)):
        is_first = number == len(places) - 1
        if digits:
            taken, digits = (digits, "") if is_first else (digits[-1], digits[:-1])
        else:
            taken = {"0": "0", "?": " "}.get(place, "")
        text = ""
        for digit in reversed(taken):
            if grouped and count and count % 3 == 0 and digit != " ":
                text = f",{text}"
            text = digit + text
            count += 1
        shown[index] = text
    return shown
