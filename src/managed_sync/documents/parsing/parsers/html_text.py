"""The bare text of a web page, where no parser finds its way through the tags."""

from __future__ import annotations

import html
import re

from managed_sync.documents.parsing import markdown_writer as markdown

__all__ = ["bare_text"]

_UNSEEN = re.compile(
    r"<(head|script|style|template|noscript|svg)\b.*?</\1\s*>|<!--.*?-->|<![^>]*>",
    re.IGNORECASE | re.DOTALL,
)
_TAGS = re.compile(r"(?:</?[a-z][^<>]*>\s*)+", re.IGNORECASE)


def bare_text(page: str) -> str:
    """What stands between the tags, a paragraph each.

    Examples:
        >>> bare_text("<div><div><p>Deep &amp; down.</p></div></div>")
        'Deep & down.'
    """
    parts = _TAGS.split(_UNSEEN.sub("", page))
    return markdown.join_blocks(markdown.paragraph(html.unescape(part)) for part in parts)
