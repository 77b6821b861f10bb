"""Shows numbers as fractions: ``# ?/?`` shows ``1.5`` as ``1 1/2``."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from managed_sync.documents.parsing.parsers.office.number_formats.codes import Kind, Section, Token

__all__ = ["format_fraction"]

_MAX_DIGITS = 7


def format_fraction(section: Section, number: Decimal) -> str:
    """Returns the number as a fraction, or nothing if the section does not describe one."""
    tokens = [token for token in section.tokens if token.text != " "]
    slash = next(i for i, token in enumerate(tokens) if token.kind is Kind.SLASH)
    below = ""
    for token in tokens[slash + 1 :]:
        if token.kind is not Kind.DIGIT and not token.text.isdigit():
            break
        below += token.text
    # A blank parts the whole number from the numerator, whose places stand before the slash.
    places = "".join(_place(token) for token in section.tokens).partition("/")[0].split()
    if not below or not places:
        return ""
    value = abs(number)
    if below.isdigit() and int(below):
        numerator, denominator = int(value * int(below) + Decimal("0.5")), int(below)
    else:
        numerator, denominator = _nearest(value, 10 ** min(len(below), _MAX_DIGITS) - 1)
    sign = "-" if number < 0 else ""
    if len(places) == 1:
        return f"{sign}{numerator}/{denominator}"
    whole, numerator = divmod(numerator, denominator)
    if not numerator:
        return f"{sign}{whole}" if whole else "0"
    return (
        f"{sign}{whole} {numerator}/{denominator}" if whole else f"{sign}{numerator}/{denominator}"
    )


def _place(token: Token) -> str:
    if token.kind in {Kind.DIGIT, Kind.SLASH}:
        return token.text
    return " " if token.text.isspace() else ""


def _nearest(value: Decimal, limit: int) -> tuple[int, int]:
    """Returns the last convergent of the continued fraction that fits, as Excel chooses it."""
    before, last = (0, 1), (1, 0)
    rest = Fraction(value)
    while True:
        whole = rest.numerator // rest.denominator
        found = (whole * last[0] + before[0], whole * last[1] + before[1])
        if found[1] > limit:
            return last
        if rest == whole:
            return found
        before, last = last, found
        rest = 1 / (rest - whole)
