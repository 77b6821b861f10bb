"""Log lines and terminal output that no name can forge.

The name of a file, a record or a user may contain line breaks and escape sequences of terminals.
Unescaped, it could forge lines of a log, or control the terminal that shows it.
"""

from __future__ import annotations

import logging
import re
import traceback
from numbers import Number

__all__ = ["UNSEEN", "LineFormatter", "get_logger", "printable"]

# Control characters, line and paragraph separators, characters that change the direction of text,
# byte order marks, and lone surrogates, which many streams cannot encode. A name with one of them
# may look like another name, or as if it had another ending.
UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff"
    "\ud800-\udfff]"
)
_INDENT = "    "


def printable(text: str) -> str:
    r"""Returns a text on one line, with all other characters escaped.

    Examples:
        >>> printable("a\nb\x1b[2J")
        'a\\nb\\x1b[2J'
    """
    return UNSEEN.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def get_logger(name: str) -> logging.Logger:
    """Returns a logger whose records are safe to write with any handler."""
    logger = logging.getLogger(name)
    logger.addFilter(_escape_arguments)
    return logger


class LineFormatter(logging.Formatter):
    """A formatter that starts a line for each record only, whatever the record contains."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record's line, and its further lines indented below it."""
        first, *further = super().format(record).split("\n")
        return "\n".join([printable(first), *(_INDENT + printable(line) for line in further)])


def _escape_arguments(record: logging.LogRecord) -> bool:
    if isinstance(record.args, tuple):
        record.args = tuple(map(_escaped, record.args))
    elif isinstance(record.args, dict):
        record.args = {name: _escaped(value) for name, value in record.args.items()}
    if record.exc_info and record.exc_info[0] is not None and not record.exc_text:
        # Formatters use this text instead of their own.
        lines = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n").split("\n")
        record.exc_text = "\n".join(_INDENT + printable(line) for line in lines)
    return True


def _escaped(value: object) -> object:
    return value if isinstance(value, Number | None) else _Printable(value)


class _Printable:
    """An argument of a log message that is escaped when it is written."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return printable(str(self._value))

    def __repr__(self) -> str:
        return printable(repr(self._value))
