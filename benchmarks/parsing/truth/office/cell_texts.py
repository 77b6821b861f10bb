"""The texts that are right for a number, a date or a time in a cell."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

from openpyxl.styles.numbers import BUILTIN_FORMATS, is_date_format
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900, from_excel

from benchmarks.parsing.truth.model import Text

__all__ = ["date_ways", "number_ways", "ways_to_write"]

_LITERAL = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<money>[^\]-]*)[^\]]*\]|(?P<none>\[[^\]]*\]|\*.)'
    r"|(?P<blank>_.)|(?P<digits>[#0?][#0?,./]*(?: +[#?]+ *\/ *[#?\d]+)?)|(?P<other>.)",
    re.DOTALL,
)
_SECTION = re.compile(r'((?:"[^"]*"|\\.|\[[^\]]*\]|[^;])*)(?:;|$)')
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[\d.]+)\]")
_SCALE = re.compile(r"[0#?](,+)(?![0#?,])")
_FRACTION = re.compile(r"\?+ */ *(\?+|\d+)")
_QUOTED = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')
_ESCAPED_SPACE = re.compile(r"\\ (?=[#?]+ */)")
_EXACT = Context(prec=400)
_HOURS = re.compile("h|^$", re.IGNORECASE)
_DECIMALS = re.compile(r"\.([0#?]+)")
_TOKEN = re.compile(r"yyyy|yy|mmmmm|mmmm|mmm|mm|m|dddd|ddd|dd|d|hh|h|ss|s|am/pm|a/p", re.IGNORECASE)


def ways_to_write(text: str, code: str, *, is_1904: bool = False) -> tuple[str, Text]:
    """Returns the part that a number belongs to, and the ways to write it.

    Args:
        text: The number as the file stores it.
        code: Its format, or the number of a builtin one.
        is_1904: Days are counted from 1904.
    """
    if code.isdigit() and len(code) < 4:
        code = BUILTIN_FORMATS.get(int(code), "General")
    try:
        number = float(text)
    except ValueError:
        return "numbers", text
    code, shown = _section(_ESCAPED_SPACE.sub(" ", code), number)
    # Only a 0 in the format shows the digit of a zero.
    digits = r"[0#?@]|general" if number else r"[0@]|general"
    if not re.search(digits, _QUOTED.sub("", code), re.IGNORECASE) and not is_date_format(code):
        # It is written as words or as a dash, or not at all.
        words_only = _as_literal(code, "")
        return "numbers", words_only if words_only.strip() else ("", *number_ways(text, number, ""))
    if is_date_format(code) and number >= 0:
        epoch = CALENDAR_MAC_1904 if is_1904 else CALENDAR_WINDOWS_1900
        try:
            moment = from_excel(number, epoch)
        except (ValueError, OverflowError):
            return "numbers", number_ways(text, number, code)
        if moment is not None:
            # Excel's first day of all.
            first = ("1900-01-00",) if number < 1 and "y" in code.lower() else ()
            return "dates", (*date_ways(moment, code), *first, *_duration_ways(number, code))
    ways = number_ways(text, number, code)
    return "numbers", (*ways, *_in_words(shown, code))


def _section(code: str, number: float) -> tuple[str, float]:
    """The section of a format that shows a number, and the number without the sign in it."""
    sections = [found[1] for found in _SECTION.finditer(code)][:4]
    if any(_CONDITION.search(section) for section in sections):
        for section in sections:
            condition = _CONDITION.search(section)
            if condition is None or _holds(number, condition[1], float(condition[2])):
                return section, number
    elif len(sections) > 3 and number == 0:
        return sections[2], number
    elif len(sections) > 2 and number < 0:
        return sections[1], -number
    return sections[0], number


def _holds(number: float, sign: str, other: float) -> bool:
    return {
        "<": number < other, "<=": number <= other, ">": number > other,
        ">=": number >= other, "=": number == other, "<>": number != other,
    }[sign]  # fmt: skip


def _as_literal(code: str, digits: str) -> str:
    """Returns what a section shows, with these digits in place of its own."""
    parts = []
    for token in _LITERAL.finditer(code):
        if token["digits"]:
            parts.append(digits)
            digits = ""
        elif token["blank"]:
            parts.append(" ")
        elif not token["none"]:
            parts.append(
                token["quoted"] or token["escaped"] or token["money"] or token["other"] or ""
            )
    return "".join(parts)


def _in_words(number: float, code: str) -> tuple[str, ...]:
    """A number with the words around it, and as a fraction."""
    plain = _QUOTED.sub("", code)
    match = _DECIMALS.search(plain)
    decimals = len(match[1]) if match else 0
    scale = _SCALE.search(plain)
    shown = number * 100 if "%" in plain else number / 1000 ** (len(scale[1]) if scale else 0)
    digits = _fixed(shown, decimals)
    if fraction := _FRACTION.search(plain):
        return (_as_fraction(number, fraction[1]),)
    return (_as_literal(code, digits),) if re.search(r"[0#?]", plain) else ()


def _fixed(number: float, decimals: int) -> str:
    """A number with so many decimals. Halves are rounded up, of the 15 digits that sheets show."""
    exact = Decimal(f"{number:.15g}")
    return f"{exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, _EXACT):f}"


def _as_fraction(number: float, below: str) -> str:
    """A number as a whole one and a fraction, with this denominator or one of so many digits."""
    exact = abs(Fraction(f"{number:.15g}"))
    if below.isdecimal():
        denominator = int(below)
        numerator = int(exact * denominator + Fraction(1, 2))
    else:
        numerator, denominator = _convergent(exact, 10 ** len(below) - 1)
    whole, rest = divmod(numerator, denominator)
    shown = [str(whole) if whole or not rest else "", f"{rest}/{denominator}" if rest else ""]
    return " ".join(filter(None, shown))


def _convergent(exact: Fraction, most: int) -> tuple[int, int]:
    """The last convergent with a denominator of at most this: Excel shows 0.97 in ?/? as 1."""
    before, last, rest = (0, 1), (1, 0), exact
    while True:
        whole = int(rest)
        before, last = last, (whole * last[0] + before[0], whole * last[1] + before[1])
        if last[1] > most:
            return before
        if rest == whole:
            return last
        rest = 1 / (rest - whole)


def number_ways(text: str, number: float, code: str) -> tuple[str, ...]:
    """Returns the ways to write a number: as it is stored, in full, and as its format shows it."""
    full = f"{number:.15g}"
    ways = [
        full,
        text,
        repr(number),
        f"{number:.9g}",
        f"{number:.10g}",
        f"{number:f}".rstrip("0").rstrip("."),
    ]
    plain = _QUOTED.sub("", code.split(";", maxsplit=1)[0])
    match = _DECIMALS.search(plain)
    decimals = len(match[1]) if match else 0
    if "%" in plain:
        shown = f"{number * 100:.{decimals}f}"
        # The stored share says something else to a reader than the percents of the sheet.
        return (f"{shown}%", f"{number * 100:.10g}%")
    if "E" in plain.upper() and "GENERAL" not in plain.upper():
        ways.append(f"{number:.{decimals}E}")
    elif plain and plain != "General" and re.search(r"[0#]", plain):
        ways += [f"{number:.{decimals}f}", f"{Decimal(_fixed(number, decimals)):,f}"]
        if scale := _SCALE.search(plain):
            ways.append(_fixed(number / 1000 ** len(scale[1]), decimals))
    ways.append(f"{number:.2f}".rstrip("0").rstrip("."))
    return tuple(dict.fromkeys(ways))


def date_ways(moment: datetime | date | time | timedelta, code: str = "") -> tuple[str, ...]:
    """Returns the ways to write a date or a time: in the order of ISO, and as its format shows."""
    match moment:
        case datetime():
            ways = [f"{moment:%Y-%m-%d}"]
            moment = _to_second(moment)
            if (moment.hour, moment.minute, moment.second) != (0, 0, 0):
                ways = [f"{moment:%Y-%m-%d %H:%M:%S}", f"{moment:%Y-%m-%d %H:%M}"]
                ways += [f"{moment:%Y-%m-%d}"] if not _HOURS.search(_QUOTED.sub("", code)) else []
                ways += [f"{moment:%H:%M:%S}", f"{moment:%H:%M}"] if "y" not in code.lower() else []
            else:
                ways.append(f"{moment:%Y-%m-%d %H:%M:%S}")
        case date():
            return (moment.isoformat(),)
        case time():
            ways = [f"{moment:%H:%M:%S}", f"{moment:%H:%M}"]
        case timedelta():
            seconds = int(moment.total_seconds())
            return (f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}", str(moment))
    if code:
        ways.append(_shown(moment, code))
    return tuple(dict.fromkeys(ways))


def _to_second(moment: datetime) -> datetime:
    """The nearest second, which is what a sheet shows."""
    return (moment + timedelta(milliseconds=500)).replace(microsecond=0)


def _duration_ways(number: float, code: str) -> tuple[str, ...]:
    if not re.search(r"\[[hms]+\]", code, re.IGNORECASE):
        return ()
    seconds = round(number * 86400)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return (f"{hours}:{minutes:02}:{seconds % 60:02}", f"{hours}:{minutes:02}", str(seconds))


def _shown(moment: datetime | time, code: str) -> str:
    """A date or time as its format shows it, in English."""
    plain = _QUOTED.sub(" ", code.split(";", maxsplit=1)[0])
    is_twelve = "am/pm" in plain.lower() or "a/p" in plain.lower()
    before = ""

    def replaced(token: re.Match[str]) -> str:
        nonlocal before
        name = token[0].lower()
        is_minute = name in {"m", "mm"} and (
            before.startswith("h") or plain[token.end() :].lstrip(" :.").lower().startswith("s")
        )
        before = name
        if is_minute:
            return f"{moment.minute:02}" if name == "mm" else str(moment.minute)
        hour = (moment.hour - 1) % 12 + 1 if is_twelve else moment.hour
        day = moment if isinstance(moment, datetime) else datetime(1899, 12, 30)
        return {
            "yyyy": f"{day:%Y}", "yy": f"{day:%y}", "mmmmm": f"{day:%B}"[0], "mmmm": f"{day:%B}",
            "mmm": f"{day:%b}", "mm": f"{day:%m}", "m": str(day.month), "dddd": f"{day:%A}",
            "ddd": f"{day:%a}", "dd": f"{day:%d}", "d": str(day.day), "hh": f"{hour:02}",
            "h": str(hour), "ss": f"{moment.second:02}", "s": str(moment.second),
            "am/pm": "PM" if moment.hour >= 12 else "AM", "a/p": "P" if moment.hour >= 12 else "A",
        }[name]  # fmt: skip

    return _TOKEN.sub(replaced, plain)
