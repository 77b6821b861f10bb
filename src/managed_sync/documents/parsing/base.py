"""Defines parsers, and runs one so that every failure becomes one of this package's errors."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from managed_sync.documents.model import FilePart
from managed_sync.documents.parsing.file_types import display_name
from managed_sync.documents.parsing.markdown_writer import clean
from managed_sync.errors import (
    EmptyContentError,
    ManagedSyncError,
    MissingExtraError,
    ParsingError,
)

__all__ = [
    "ParsedFile",
    "Parser",
    "missing_parser",
    "nested_too_deeply",
    "protected",
    "reporting_damage",
    "run_parser",
    "unreadable",
]

_MAX_REASON = 200
_PROTECTED = "is protected with a password; save it without one to have it indexed"


class ParsedFile(str):
    """The text of a file, together with the files inside of it.

    It is a ``str``, so a parser may return plain text as well, and code that only wants the text of
    the file itself does not have to know about parts.

    Args:
        text: The text, as Markdown.
        parts: The files inside of the file, such as attachments, with different paths.
        unread: The parts that could not be read, each with the reason in parentheses.
        interrupted: Those of them for which the time was over, or whose process ended: they may be
            readable at another time.

    Examples:
        >>> ParsedFile("See the plan.", [FilePart("# Plan", "attachments/b.md", "b.md")]).upper()
        'SEE THE PLAN.'
    """

    __slots__ = ("interrupted", "parts", "unread")

    parts: tuple[FilePart, ...]
    unread: tuple[str, ...]
    interrupted: tuple[str, ...]

    def __new__(
        cls,
        text: str,
        parts: Iterable[FilePart] = (),
        unread: Iterable[str] = (),
        interrupted: Iterable[str] = (),
    ) -> ParsedFile:
        """Joins a text and the parts of its file."""
        parsed = super().__new__(cls, text)
        parsed.parts, parsed.unread = tuple(parts), tuple(unread)
        parsed.interrupted = tuple(interrupted)
        return parsed


class Parser(Protocol):
    """A function, or an object that can be called, that turns the bytes of a file into Markdown.

    A parser raises a ``DocumentError`` for a file that it cannot read; the loader reports that file
    and continues with the others. If it can be pickled, it runs in worker processes, so it should
    not depend on state from other files.

    Examples:
        ```python
        def parse_notes(data: bytes, *, content_type: str, filename: str) -> str:
            return data.decode("utf-8")

        DocumentLoader(client, parser=parse_notes)
        ```
    """

    def __call__(self, data: bytes, *, content_type: str, filename: str) -> str:
        """Returns the text of the file, as Markdown; a ``ParsedFile`` if it holds others."""
        ...


def run_parser(parser: Parser, data: bytes, *, content_type: str, filename: str) -> ParsedFile:
    """Returns the text that a parser reads, without characters that stores refuse.

    Raises:
        ManagedSyncError: The parser raised it.
        ParsingError: The parser raised another error, which is the cause of this one.
        EmptyContentError: The parser found no text.
    """
    name = display_name(filename, content_type)
    try:
        text = parser(data, content_type=content_type, filename=filename)
    except ManagedSyncError:
        raise
    except MemoryError as error:
        raise ParsingError(f"{name} could not be read: it needs too much memory.") from error
    except Exception as error:
        raise ParsingError(
            f"{name} could not be read: the parser failed with {type(error).__name__}: "
            f"{_reason(error)}"
        ) from error
    if not isinstance(text, str):
        raise ParsingError(
            f"{name} could not be read: the parser must return text, got {type(text).__name__}."
        )
    parsed = text if isinstance(text, ParsedFile) else ParsedFile(text)
    text = clean(text)
    if not text.strip() and not parsed.parts:
        raise EmptyContentError(f"{name} has no text in it.")
    parts = [replace(part, text=clean(part.text)) for part in parsed.parts]
    return ParsedFile(text, parts, parsed.unread, parsed.interrupted)


@contextmanager
def reporting_damage(name: str) -> Generator[None]:
    """Reports errors that a reader did not expect, in the ``with`` block, as damage of the file.

    Args:
        name: The name of the file.

    Raises:
        ParsingError: The reader failed; its own error is the cause.
    """
    try:
        yield
    except (ManagedSyncError, MemoryError):
        raise
    except RecursionError as error:
        raise nested_too_deeply(name) from error
    except Exception as error:
        raise ParsingError(
            f"{name} is damaged, or holds something that cannot be read; "
            "save it again or as PDF to have it indexed."
        ) from error


def unreadable(name: str, error: BaseException) -> ParsingError:
    """Returns the error for a file on which a library failed; its reason is on one line.

    Args:
        name: The name of the file.
        error: The library's error.
    """
    reason = _reason(error) or "it is damaged"
    if "password" in reason.lower() or "encrypt" in reason.lower():
        reason = f"it {_PROTECTED}"
    return ParsingError(f"{name} could not be read: {reason}")


def protected(name: str) -> ParsingError:
    """Returns the error for a file that opens only with a password."""
    return ParsingError(f"{name} {_PROTECTED}.")


def nested_too_deeply(name: str) -> ParsingError:
    """Returns the error for a file whose parts are nested deeper than the stack allows."""
    return ParsingError(f"{name} is nested too deeply to be read.")


def missing_parser(name: str) -> MissingExtraError:
    """Returns the error for a file whose format needs a library of the ``parsers`` extra."""
    return MissingExtraError(f"Reading {name}", "parsers")


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:_MAX_REASON]
