"""Log lines and terminal output that no name can forge.

A file, a record or a user may have any name, line breaks and escape sequences of terminals in it.
Written as it is, such a name makes lines of a log that nobody logged, or moves the cursor of
whoever looks at it.
"""

from __future__ import annotations

import logging
import re
import traceback
from numbers import Number

__all__ = ["LineFormatter", "get_logger", "printable"]

# Control characters, line and paragraph separators, those that turn the direction of text, and
# halves of characters, which many streams cannot encode.
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_INDENT = "    "


def printable(text: str) -> str:
    r"""Returns a text on one line, with everything that is not text escaped.

    Examples:
        >>> printable("a\nb\x1b[2J")
        'a\\nb\\x1b[2J'
    """
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def get_logger(name: str) -> logging.Logger:
    """Returns a logger whose records are safe to write, whichever handler writes them."""
    logger = logging.getLogger(name)
    logger.addFilter(_escape_arguments)
    return logger


class LineFormatter(logging.Formatter):
    """Writes records of any logger so that only a record begins a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record's line, and indented below it what has lines of its own."""
        first, *further = super().format(record).split("\n")
        return "\n".join([printable(first), *(_INDENT + printable(line) for line in further)])


def _escape_arguments(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(map(_escaped, record.args))
    elif isinstance(record.args, dict):
        record.args = {name: _escaped(value) for name, value in record.args.items()}
    if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
        # Formatters take this text instead of making their own.
        lines = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n").split("\n")
        record.exc_text = "\n".join(_INDENT + printable(line) for line in lines)
    return True


def _escaped(value: object) -> object:
    return value if isinstance(value, Number | None) else _Printable(value)


class _Printable:
    """An argument of a log message, escaped when it is written."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return printable(str(self._value))

    def __repr__(self) -> str:
        return printable(repr(self._value))
