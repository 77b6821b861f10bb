"""Shows the day numbers of workbooks as dates, times and durations."""

from __future__ import annotations

import datetime

from managed_sync.documents.parsing.parsers.office.number_formats.codes import Kind, Section, Token

__all__ = ["format_date"]

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAYS_OF_9999 = 2_958_466
_SECONDS_OF_DAY = 86_400
_BUDDHIST_YEARS = 543


class _Moment:
    """A day number, split into its parts.

    Excel has a February 29th in 1900, as Lotus 1-2-3 had, and calls the day 0 January 0th.
    """

    def __init__(self, days: float, digits: int) -> None:
        units = 10**digits
        total = int(days * _SECONDS_OF_DAY * units + 0.5)
        self.seconds_in_all, self.fraction = divmod(total, units)
        day, rest = divmod(self.seconds_in_all, _SECONDS_OF_DAY)
        self.hour, rest = divmod(rest, 3600)
        self.minute, self.second = divmod(rest, 60)
        if day == 60:
            self.year, self.month, self.day, self.weekday = 1900, 2, 29, 2
        elif day == 0:
            self.year, self.month, self.day, self.weekday = 1900, 1, 0, 5
        else:
            first = datetime.date(1899, 12, 31 if day < 60 else 30)
            date = first + datetime.timedelta(days=day)
            self.year, self.month, self.day = date.year, date.month, date.day
            self.weekday = (day + 5) % 7


def format_date(section: Section, days: float, *, first_day: int = 0) -> str:
    """Returns a day number as a date, or nothing if it is outside of what Excel shows.

    Args:
        section: The section of the format.
        days: Days since 1899-12-30.
        first_day: The day from which the workbook counts, as durations do.
    """
    if not 0 <= days < _DAYS_OF_9999:
        return ""
    tokens = section.tokens
    moment = _Moment(days, _fraction_digits(tokens))
    in_halves = section.has(Kind.CLOCK)
    parts: list[str] = []
    for index, token in enumerate(tokens):
        match token.kind:
            case Kind.ELAPSED:
                divisor = {"h": 3600, "m": 60, "s": 1}[token.text[0].lower()]
                seconds = moment.seconds_in_all - first_day * _SECONDS_OF_DAY
                parts.append(f"{seconds // divisor:0{len(token.text)}d}")
            case Kind.CLOCK:
                half = "AM" if moment.hour < 12 else "PM"
                parts.append(half if len(token.text) > 3 else half[0])
            case Kind.DATE if token.text[0] in "mM" and _is_minutes(tokens, index):
                parts.append(f"{moment.minute:0{min(2, len(token.text))}d}")
            case Kind.DATE:
                parts.append(_part(moment, token.text.lower(), in_halves=in_halves))
            case Kind.DIGIT if _is_fraction(tokens, index):
                digits = _fraction_digits(tokens)
                if tokens[index - 1].kind is Kind.POINT:
                    parts.append(f"{moment.fraction:0{digits}d}")
            case Kind.GENERAL | Kind.VALUE | Kind.EXPONENT:
                continue
            case _:
                parts.append(token.text)
    return "".join(parts).strip()


def _part(moment: _Moment, letters: str, *, in_halves: bool) -> str:
    width = len(letters)
    month, weekday = _MONTHS[moment.month - 1], _WEEKDAYS[moment.weekday]
    shown: list[str] = []
    match letters[0]:
        case "y" | "b":
            year = moment.year + (_BUDDHIST_YEARS if letters[0] == "b" else 0)
            shown = [f"{year % 100:02d}", f"{year % 100:02d}", f"{year}"]
        case "e":
            shown = [f"{moment.year}"]
        case "m":
            shown = [f"{moment.month}", f"{moment.month:02d}", month[:3], month, month[0]]
        case "d":
            shown = [f"{moment.day}", f"{moment.day:02d}", weekday[:3], weekday]
        case "a":
            shown = [weekday[:3], weekday[:3], weekday[:3], weekday]
        case "h":
            hour = (moment.hour - 1) % 12 + 1 if in_halves else moment.hour
            shown = [f"{hour}", f"{hour:02d}"]
        case "s":
            shown = [f"{moment.second}", f"{moment.second:02d}"]
    return shown[min(width, len(shown)) - 1] if shown else ""


def _is_minutes(tokens: list[Token], index: int) -> bool:
    """Tells whether an "m" stands for minutes: after hours, or before seconds."""
    if len(tokens[index].text) > 2:
        return False
    units = [t for t in tokens[:index] if t.kind in {Kind.DATE, Kind.ELAPSED}]
    if units and units[-1].text[0] in "hH":
        return True
    following = next((t for t in tokens[index + 1 :] if t.kind in {Kind.DATE, Kind.ELAPSED}), None)
    return following is not None and following.text[0] in "sS"


def _fraction_digits(tokens: list[Token]) -> int:
    fraction = [t for i, t in enumerate(tokens) if t.kind is Kind.DIGIT and _is_fraction(tokens, i)]
    return min(len(fraction), 3)


def _is_fraction(tokens: list[Token], index: int) -> bool:
    """Tells whether a digit is one of those after the seconds' point."""
    while index > 0 and tokens[index].kind is Kind.DIGIT:
        index -= 1
    return tokens[index].kind is Kind.POINT
