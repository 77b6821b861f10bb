"""Reads web pages: the text that a browser shows, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.parsers.web.html_inline import InlineWriter
from managed_sync.documents.parsing.parsers.web.html_parts import PageParts, base_of
from managed_sync.documents.parsing.parsers.web.html_tables import (
    is_layout,
    rows_of,
    table_cells,
)
from managed_sync.documents.parsing.parsers.web.html_tree import (
    BLOCKS,
    Contains,
    Element,
    Node,
    parse_tree,
    part_of,
)

__all__ = ["parse_html"]

_LONGEST_HEADING = 300
_LISTS = {"ul", "ol", "menu", "dir"}
_CODE = {"pre", "listing", "xmp", "plaintext"}
_LANGUAGE = re.compile(r"(?:language|lang|highlight-source|brush:)[-\s]?([a-zA-Z0-9+#]+)")
_DEEPEST_QUOTE = 5


class _Block(NamedTuple):
    """A block of the page; the text of a paragraph is not escaped yet."""

    kind: str
    text: str


def parse_html(text: str, *, name: str) -> str:
    """Returns the text of a page as Markdown.

    Left out are scripts, hidden elements and navigation, and next to a ``<main>`` part also
    headers, footers and asides. A page that would be empty is read with everything in it.

    Args:
        text: The page.
        name: The name of the file in error messages.

    Raises:
        MissingExtraError: ``lxml`` is not installed.
    """
    root = parse_tree(text, name=name)
    return _PageWriter(root).write() or _PageWriter(root, shows_all=True).write()


class _PageWriter:
    def __init__(self, root: Element, *, shows_all: bool = False) -> None:
        self._root = root
        self._inline = InlineWriter(base_of(root), shows_all=shows_all)
        self._parts = PageParts(root, shows_all=shows_all)
        self._quote = 0
        self._depth = 0
        self._is_inside = False

    def write(self) -> str:
        """Returns the page as Markdown."""
        blocks = self._flow(self._root)
        return markdown.join_blocks(map(_written, blocks))

    def _left_out(self, element: Element) -> bool:
        return self._parts.leaves_out(element, is_inside=self._is_inside)

    def _flow(self, parent: Element) -> Iterator[_Block]:
        """Yields the blocks in an element; texts and inline elements between them are blocks."""
        run: list[Node] = []
        for child in parent.children:
            if isinstance(child, str) or not (
                child.tag in BLOCKS or child.contains & Contains.BLOCK
            ):
                run.append(child)
                continue
            yield from self._paragraph(run)
            run = []
            if not self._left_out(child):
                yield from self._block(child)
        yield from self._paragraph(run)

    def _paragraph(self, run: list[Node]) -> Iterator[_Block]:
        if run and (text := self._inline.text(run)):
            if self._quote:
                mark = "> " * min(self._quote, _DEEPEST_QUOTE)
                lines = markdown.escape(text).split("\n")
                yield _Block("quote", "\n".join(mark + line for line in lines))
            else:
                yield _Block("paragraph", text)

    def _block(self, element: Element) -> Iterator[_Block]:
        tag = element.tag
        if level := _heading_level(element):
            yield from self._heading(element, level)
        elif tag in _CODE and not element.contains & Contains.TABLE:
            yield _Block("code", markdown.code_block(self._inline.raw(element), _language(element)))
        elif tag == "table":
            yield from self._table(element)
        elif tag in _LISTS:
            yield from self._list(element)
        elif tag == "dl":
            yield from self._definitions(element)
        elif tag == "blockquote":
            self._quote += 1
            yield from self._flow(element)
            self._quote -= 1
        elif tag == "textarea":
            yield _Block("paragraph", self._inline.raw(element).strip("\n"))
        else:
            was_inside, part = self._is_inside, part_of(element)
            self._is_inside = was_inside or part in {"main", "article"}
            yield from self._flow(element)
            self._is_inside = was_inside

    def _heading(self, element: Element, level: int) -> Iterator[_Block]:
        if element.letters <= _LONGEST_HEADING:
            yield _Block("heading", markdown.heading(self._inline.title(element), level))
            return
        # A heading that is never closed holds the rest of the page.
        for index, block in enumerate(self._flow(element)):
            if index == 0 and block.kind == "paragraph" and len(block.text) <= _LONGEST_HEADING:
                yield _Block("heading", markdown.heading(block.text, level))
            else:
                yield block

    def _list(self, element: Element) -> Iterator[_Block]:
        start = element.get("start")
        number = int(start) if element.tag == "ol" and _is_small(start) else 1
        for child in element.children:
            if isinstance(child, str):
                yield from self._paragraph([child])
            elif self._left_out(child):
                continue
            elif child.tag == "li":
                value = child.get("value")
                number = int(value) if _is_small(value) else number
                yield from self._item(child, f"{number}. " if element.tag == "ol" else "")
                number += 1
            else:
                # A list directly in a list is one level deeper.
                self._depth += 1
                yield from self._block(child)
                self._depth -= 1

    def _item(self, item: Element, number: str) -> Iterator[_Block]:
        depth = self._depth
        self._depth += 1
        for index, block in enumerate(self._flow(item)):
            if index == 0 and block.kind == "paragraph":
                yield _Block("item", markdown.list_item(number + block.text, depth))
            else:
                yield block
        self._depth -= 1

    def _definitions(self, element: Element) -> Iterator[_Block]:
        """Yields the parts of a list of terms; a term and a short definition are one paragraph."""
        term = ""
        for block in self._flow_of_terms(element):
            if block.kind == "term":
                if term:
                    yield _Block("paragraph", term)
                term = block.text
            elif term and block.kind == "paragraph":
                yield _Block("paragraph", f"{term}\n{block.text}")
                term = ""
            else:
                if term:
                    yield _Block("paragraph", term)
                term = ""
                yield block
        if term:
            yield _Block("paragraph", term)

    def _flow_of_terms(self, element: Element) -> Iterator[_Block]:
        for child in element.children:
            if isinstance(child, str):
                yield from self._paragraph([child])
            elif self._left_out(child):
                continue
            elif child.tag == "dt" and not child.contains & Contains.BLOCK:
                if text := self._inline.text(child.children):
                    yield _Block("term", text)
            elif child.tag == "div":
                yield from self._flow_of_terms(child)
            else:
                yield from self._block(child)

    def _table(self, table: Element) -> Iterator[_Block]:
        content = rows_of(table, self._left_out)
        for caption in content.captions:
            yield from self._flow(caption)
        for stray in content.strays:
            yield from self._paragraph([stray]) if isinstance(stray, str) else self._block(stray)
        if is_layout(table, content.rows):
            for row in content.rows:
                for cell in row:
                    yield from self._flow(cell)
            return
        written = table_cells(content.rows, self._inline.cell)
        if text := markdown.table(written):
            yield _Block("table", text)


def _written(block: _Block) -> str:
    return markdown.paragraph(block.text) if block.kind in {"paragraph", "term"} else block.text


def _heading_level(element: Element) -> int:
    tag = element.tag
    if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
        return int(tag[1])
    if element.get("role") == "heading":
        level = element.get("aria-level")
        return int(level) if _is_small(level) else 2
    return 0


def _is_small(number: str) -> bool:
    return number.isdecimal() and len(number) < 7


def _language(code: Element) -> str:
    classes = [code.get("class")]
    classes += [child.get("class") for child in code.children if isinstance(child, Element)][:1]
    found = _LANGUAGE.search(" ".join(classes))
    return found.group(1) if found else ""
