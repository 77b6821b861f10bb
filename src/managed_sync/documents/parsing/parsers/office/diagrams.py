"""Reads the text of diagrams (SmartArt) from their data part, as a nested list."""

from __future__ import annotations

from collections import defaultdict
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import join_blocks, list_item
from managed_sync.documents.parsing.parsers.office.drawing_text import plain_text

__all__ = ["diagram_blocks"]

# How the points are laid out, which has no text of its own.
_LAYOUT = {"pres", "doc"}
_MAX_DEPTH = 8


def diagram_blocks(root: Element) -> list[str]:
    """Returns the points of a diagram as Markdown.

    Args:
        root: The root of the data part, which a ``dgm:relIds`` element names by ``r:dm``.
    """
    texts: dict[str, str] = {}
    start = ""
    for point in root.iter("dgm:pt"):
        name, kind = point.get("modelId", ""), point.get("type", "node")
        if kind == "doc":
            start = name
        body = point.find("dgm:t")
        texts[name] = plain_text(body) if body is not None and kind not in _LAYOUT else ""
    below: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for connection in root.iter("dgm:cxn"):
        if connection.get("type", "parOf") == "parOf":
            order = connection.get("srcOrd", "0")
            below[connection.get("srcId", "")].append(
                (int(order) if order.isdigit() else 0, connection.get("destId", ""))
            )
    items = []
    seen = {start}
    # The points of the diagram from the first one down; then those that nothing leads to.
    waiting = [(0, name) for name in reversed(texts)] + [(-1, start)]
    while waiting:
        depth, name = waiting.pop()
        if depth >= 0:
            if name in seen:
                continue
            seen.add(name)
            items.append(list_item(texts.get(name, ""), min(depth, _MAX_DEPTH)))
        deeper = depth + 1 if depth < 0 or texts.get(name) else depth
        waiting += [(deeper, child) for _, child in sorted(below[name], reverse=True)]
    text = join_blocks(items)
    return [text] if text else []
