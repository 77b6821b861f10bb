"""Defines parsers, and runs one so that every failure becomes one of this package's errors."""

from __future__ import annotations

from typing import Protocol

from managed_sync.documents.parsing.file_types import display_name
from managed_sync.documents.parsing.markdown_writer import clean
from managed_sync.errors import EmptyContentError, ManagedSyncError, ParsingError

__all__ = ["Parser", "run_parser", "unreadable"]

_MAX_REASON = 200


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
        """Returns the text of the file, as Markdown."""
        ...


def run_parser(parser: Parser, data: bytes, *, content_type: str, filename: str) -> str:
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
    text = clean(text)
    if not text.strip():
        raise EmptyContentError(f"{name} has no text in it.")
    return text


def unreadable(name: str, error: BaseException) -> ParsingError:
    """Returns the error for a file on which a library failed; its reason is on one line.

    Args:
        name: The name of the file.
        error: The library's error.
    """
    reason = _reason(error) or type(error).__name__
    if "password" in reason.lower() or "encrypt" in reason.lower():
        reason = "it is protected with a password; save it without one to have it indexed"
    return ParsingError(f"{name} could not be read: {reason}")


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:_MAX_REASON]
