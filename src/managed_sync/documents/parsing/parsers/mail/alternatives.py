"""Chooses between the versions of one text, such as a plain one and one in HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.parsers.web.html import parse_html
from managed_sync.errors import MissingExtraError, ParsingError

__all__ = ["HtmlReader", "html_text", "richest"]

# Words of one version that another one may lack and still say the same.
_TOLERANCE = 0.1
# "This message is in HTML. View it in your browser."
_WORDS_OF_A_STUB = 40
_STUB_WORDS = {"html", "browser", "online", "navigateur", "webversion"}
_ADDRESS = re.compile(r"\(?<?(?:https?://|mailto:|cid:|www\.)[^\s>)\]]*[>)]?", re.IGNORECASE)
_WORD = re.compile(r"\w{2,}")


class HtmlReader(Protocol):
    """A function that turns HTML into Markdown."""

    def __call__(self, text: str, *, name: str) -> str:
        """Returns the Markdown."""
        ...


def html_text(text: str, read_html: HtmlReader, *, name: str) -> str:
    """Returns the text of a page, by this package's own reader if the given one finds nothing."""
    try:
        return read_html(text, name=name).strip() or parse_html(text, name=name)
    except MissingExtraError:
        raise
    except ParsingError:
        return parse_html(text, name=name)


def richest(versions: Sequence[str]) -> str:
    """Returns the version that says most; the last of those that say the same.

    Programs send the version with most structure last. If each of two versions has many words that
    the other one lacks, neither is only a version of the other, and both are returned.
    """
    kept = ""
    for version in versions:
        before, after = _words(kept), _words(version)
        if _covers(after, before):
            kept = version if after else kept
        elif not _covers(before, after):
            kept = version if _is_stub(before) else markdown.join_blocks([kept, version])
    return kept


def _is_stub(words: set[str]) -> bool:
    """Tells whether a version only says that there is another one."""
    return len(words) <= _WORDS_OF_A_STUB and not words.isdisjoint(_STUB_WORDS)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(_ADDRESS.sub(" ", text).lower()))


def _covers(words: set[str], others: set[str]) -> bool:
    return len(others - words) <= _TOLERANCE * len(others)
