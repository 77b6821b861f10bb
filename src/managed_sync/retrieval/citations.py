"""Citations: names passages for people and models by number and position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from managed_sync.logs import printable

__all__ = ["numbered", "position"]

# Parts of the types of Excel's, OpenDocument's and Google's workbooks.
_WORKBOOKS = ("ms-excel", "spreadsheet")


def position(metadata: Mapping[str, Any]) -> str:
    """Returns a passage's position: title, page or sheet, and heading, as far as they are known.

    The position is one line: a file's name cannot look like a passage of its own.

    Examples:
        >>> position({"title": "Plan.pdf", "page": 2, "heading": "Costs > Travel"})
        'Plan.pdf · page 2 · Costs > Travel'
        >>> position({"title": "Plan.pdf", "parent_title": "Offer.eml"})
        'Plan.pdf in Offer.eml'
        >>> position({"title": "Prices", "page": 3, "mime_type": "application/vnd.ms-excel"})
        'Prices · sheet 3'
    """
    title = str(metadata.get("title") or metadata.get("object_id", ""))
    parent = f" in {metadata['parent_title']}" if metadata.get("parent_title") else ""
    is_workbook = any(word in str(metadata.get("mime_type", "")) for word in _WORKBOOKS)
    page = f"{'sheet' if is_workbook else 'page'} {metadata['page']}" if "page" in metadata else ""
    heading = str(metadata.get("heading") or "").removeprefix(title).removeprefix(" > ")
    return printable(" · ".join(filter(None, [title + parent, page, heading])))


def numbered(passages: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Returns passages under their number and position, for a model to read and to cite.

    Args:
        passages: Texts with their metadata.
    """
    return "\n\n".join(
        f"[{number}] {position(metadata)}{_address(metadata)}\n{text}"
        for number, (text, metadata) in enumerate(passages, start=1)
    )


def _address(metadata: Mapping[str, Any]) -> str:
    return f" <{printable(str(metadata['url']))}>" if metadata.get("url") else ""
