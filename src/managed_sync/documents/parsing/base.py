"""What a parser is, and how one is run so that nothing but a reason gets out when it fails."""

from __future__ import annotations

from typing import Protocol

from managed_sync.documents.parsing.file_types import display_name
from managed_sync.documents.parsing.markdown_writer import clean
from managed_sync.errors import EmptyContentError, ManagedSyncError, ParsingError

__all__ = ["Parser", "run_parser"]

_LONGEST_REASON = 200


class Parser(Protocol):
    """Anything that turns the bytes of a file into Markdown text.

    A parser raises a ``DocumentError`` for a file it cannot read; the loader reports that file
    and goes on with the others. Where it can be pickled, it runs in worker processes, so it should
    not rely on what it remembers of other files.

    Examples:
        ```python
        def parse_notes(data: bytes, *, content_type: str, filename: str) -> str:
            return data.decode("utf-8")

        DocumentLoader(client, parser=parse_notes)
        ```
    """

    def __call__(self, data: bytes, *, content_type: str, filename: str) -> str:
        """The text of the file, as Markdown."""
        ...


def run_parser(parser: Parser, data: bytes, *, content_type: str, filename: str) -> str:
    """What a parser makes of a file, without characters that stores refuse.

    Raises:
        ManagedSyncError: The parser raised it.
        ParsingError: The parser failed in a way of its own, which is the error's cause.
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
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        raise ParsingError(
            f"{name} could not be read: the parser failed with {type(error).__name__}: {reason}"
        ) from error
    if not isinstance(text, str):
        raise ParsingError(
            f"{name} could not be read: the parser returned {type(text).__name__}, not text."
        )
    text = clean(text)
    if not text.strip():
        raise EmptyContentError(f"{name} has no text in it.")
    return text
