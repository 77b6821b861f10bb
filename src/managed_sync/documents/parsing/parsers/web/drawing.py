"""Reads the texts in SVG drawings."""

from __future__ import annotations

from collections.abc import Iterator

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.parsers.web.html_tree import Element, Node, parse_tree

__all__ = ["parse_svg"]

_TEXTS = {"title", "desc", "text", "foreignobject"}


def parse_svg(text: str, *, name: str) -> str:
    """Writes the title, the descriptions and the labels of a drawing, a paragraph each.

    Raises:
        MissingExtraError: ``lxml`` is not installed.
    """
    root = parse_tree(text, name=name)
    return markdown.join_blocks(markdown.paragraph(label) for label in _labels(root))


def _labels(root: Element) -> Iterator[str]:
    stack: list[Node] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            continue
        if node.tag in _TEXTS:
            yield " ".join("".join(_strings(node)).split())
        else:
            stack += reversed(node.children)


def _strings(element: Element) -> Iterator[str]:
    stack: list[Node] = [element]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
        elif node.tag not in {"script", "style"}:
            stack += (
                [" ", *reversed(node.children), " "]
                if node.tag == "tspan"
                else reversed(node.children)
            )
