"""Composes the text that goes into the vector of a chunk: title, headings and text.

Guarantees:

- The text of the chunk, under its table's header, is in it whole. Title and headings take at most
  64 tokens more, and no more than a chunk of up to 512 tokens leaves of 512.
- A title that the text begins with, and a heading that is in the text, are not repeated.
- No other metadata changes it, so that a changed URL costs no embedding.

See ``docs/decisions/0042-indexing-embedded-text.md``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath

from managed_sync.documents import Chunk
from managed_sync.documents.chunking.chunk_metadata import TABLE_HEADER, with_table_header
from managed_sync.documents.chunking.encodings import load_encoding
from managed_sync.documents.chunking.outline import HEADING_SEPARATOR, SIBLING_SEPARATOR
from managed_sync.documents.model import well_formed
from managed_sync.documents.parsing.file_types import named_type
from managed_sync.errors import ConfigurationError

__all__ = ["EMBEDDABLE", "MAX_CONTEXT_TOKENS", "EmbeddedText"]

EMBEDDABLE = ("title", "headings")
"""The metadata that can be embedded with the text of a chunk."""

MAX_CONTEXT_TOKENS = 64
"""The most tokens that title and headings take; half of them is for the title."""

_ENCODING = "cl100k_base"
# The tokens that common models take. If a chunk has more, its model takes more.
_COMMON_LIMIT = 512
# Less would hardly hold a name.
_FEWEST = 16
# Names are not looked at further; hardly a token has more characters.
_LONGEST_TOKEN = 128
# "…" and the line break after it.
_ELLIPSIS = 3
# Names are compared with the beginning of a line only.
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(\S[^\n\f]{0,200})", re.MULTILINE)
_FIRST_LINE = re.compile(r"(?:\s*+#{1,6}[ \t][^\n\f]*+)*+\s*+([^\n\f]{0,200})")


class EmbeddedText:
    r"""A function that returns the text that goes into a chunk's vector.

    Args:
        embeds: The metadata that is embedded before the text: ``"title"`` and ``"headings"``.

    Attributes:
        description: The parts of the text, for the fingerprint of an index.

    Raises:
        ConfigurationError: ``embeds`` names anything else.

    Examples:
        >>> metadata = {"object_id": "file:1", "chunk_id": "1", "title": "Travel.pdf"}
        >>> chunk = Chunk("At most EUR 140.", {**metadata, "heading": "Hotels > Germany"})
        >>> EmbeddedText()(chunk)
        'Travel\nHotels > Germany\n\nAt most EUR 140.'
    """

    def __init__(self, embeds: Sequence[str] = EMBEDDABLE) -> None:
        unknown = embeds if isinstance(embeds, str) else set(embeds) - set(EMBEDDABLE)
        if unknown:
            raise ConfigurationError(
                f"embeds must be a tuple of {' and '.join(map(repr, EMBEDDABLE))}, or empty to "
                f"embed the text alone, got {embeds!r}."
            )
        self._embeds = frozenset(embeds)
        self.description = ", ".join([*(name for name in EMBEDDABLE if name in embeds), "text"])

    def __call__(self, chunk: Chunk) -> str:
        """Returns the text that goes into the vector."""
        text = with_table_header(chunk.text, chunk.metadata)
        title = str(chunk.metadata.get("title", "")) if "title" in self._embeds else ""
        heading = str(chunk.metadata.get("heading", "")) if "headings" in self._embeds else ""
        seen = _names_in(chunk.text)
        titles = [name for name in [_without_suffix(title)] if _is_new(name, seen)]
        *above, last = heading.split(HEADING_SEPARATOR)
        path = [name for name in above if _is_new(name, seen)]
        siblings = [name for name in last.split(SIBLING_SEPARATOR) if _is_new(name, seen)]
        path += [SIBLING_SEPARATOR.join(siblings)] if siblings else []
        context = _context("".join(titles), tuple(path), _room(chunk))
        return f"{context}\n{text}" if context else text


def _names_in(text: str) -> list[str]:
    """Returns the headings in a text, and its first line."""
    names = _HEADING.findall(text) if "#" in text else []
    opening = _FIRST_LINE.match(text)
    return [_key(name) for name in [*names, opening[1] if opening else ""]]


def _room(chunk: Chunk) -> int:
    """Returns the number of tokens that title and headings may take."""
    header = str(chunk.metadata.get(TABLE_HEADER, ""))
    tokens = int(chunk.metadata.get("token_count", 0)) + _tokens(header)
    if tokens > _COMMON_LIMIT:
        return MAX_CONTEXT_TOKENS
    return min(MAX_CONTEXT_TOKENS, _COMMON_LIMIT - tokens)


@lru_cache(maxsize=1024)
def _context(title: str, path: tuple[str, ...], room: int) -> str:
    """Returns title and headings as lines that have at most so many tokens together."""
    if room < _FEWEST:
        return ""
    title = _shortened(title, room // 2)
    left = room - _tokens(title)
    # The last heading says most about the text.
    while len(path) > 1 and _tokens(HEADING_SEPARATOR.join(path)) > left:
        path = path[1:]
    headings = _shortened(HEADING_SEPARATOR.join(path), left)
    return "".join(f"{line}\n" for line in (title, headings) if line)


def _is_new(name: str, seen: list[str]) -> bool:
    """Tells whether no line begins with a name, and adds it to the lines."""
    key = _key(name)
    if not key or any(_begins_with(line, key) for line in seen):
        return False
    seen.append(key)
    return True


def _begins_with(line: str, key: str) -> bool:
    return line.startswith(key) and not line[len(key) : len(key) + 1].isalnum()


def _key(line: str) -> str:
    return " ".join(line.split()).casefold()


def _without_suffix(title: str) -> str:
    """Returns the name of a file without its type, which says nothing about its text."""
    return PurePosixPath(title).stem if named_type(title) else title


def _tokens(line: str) -> int:
    """Returns the number of tokens of a line with its line break."""
    return len(load_encoding(_ENCODING).encode_ordinary(f"{well_formed(line)}\n")) if line else 0


def _shortened(line: str, tokens: int) -> str:
    """Returns a line cut after a word, so that it has at most this many tokens."""
    line = " ".join(line[: tokens * _LONGEST_TOKEN].split())
    if _tokens(line) <= tokens:
        return line
    encoding = load_encoding(_ENCODING)
    kept = encoding.encode_ordinary(well_formed(line))[: tokens - _ELLIPSIS]
    start = encoding.decode(kept).rstrip("\ufffd")
    return f"{start.rsplit(None, 1)[0] if ' ' in start else start}…"
