"""Reads OpenDocument texts (``odt``, ``ott``, ``fodt``) from their XML."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.office.odf_document import OpenDocument, opened
from managed_sync.documents.parsing.parsers.office.odf_text import inline_text
from managed_sync.documents.parsing.parsers.opendocument.mathml import linear
from managed_sync.documents.parsing.parsers.opendocument.styles import (
    ListStyle,
    TextStyles,
    label,
)
from managed_sync.documents.parsing.parsers.word.attributes import number_of
from managed_sync.documents.parsing.parsers.word.blocks import (
    Block,
    add_running,
    flat,
    write_pages,
)
from managed_sync.documents.parsing.parsers.word.grid import Cell, arrange
from managed_sync.documents.parsing.parsers.word.numbering import roman

__all__ = ["parse_opendocument"]

_LISTS = {"text:list", "text:ordered-list", "text:unordered-list"}
_ITEMS = {"text:list-item", "text:list-header"}
_ROWS = {"table:table-header-rows", "table:table-rows", "table:table-row-group"}
_CELLS = {"table:table-cell", "table:covered-table-cell"}
_REPEATED = {"paragraph", "item", "heading"}
# A cell that is repeated more often fills a row, and says so once.
_MAX_REPEATED = 63
# Deleted text, declarations, and settings.
_SKIPPED = {
    *("text:tracked-changes", "office:forms", "text:sequence-decls", "text:variable-decls"),
    *("text:user-field-decls", "office:event-listeners", "text:table-of-content-source"),
    *(
        "text:alphabetical-index-source",
        "text:illustration-index-source",
        "text:bibliography-source",
    ),
    *("table:table-columns", "table:table-column", "style:header-style", "style:footer-style"),
    *("svg-compatible:title", "svg-compatible:desc", "office:dde-source", "table:shapes"),
}
_HEADERS = ("style:header-first", "style:header", "style:header-left")
_FOOTERS = ("style:footer-first", "style:footer", "style:footer-left")


def parse_opendocument(data: bytes, *, name: str) -> str:
    """Reads an OpenDocument text; it has pages where the author or the program noted them.

    Raises:
        ParsingError: The file is damaged, protected or nested too deeply.
    """
    with opened(data, name=name) as document:
        return _Text(document).markdown()


@dataclass
class _List:
    """A list that is being read."""

    style: ListStyle
    counts: dict[int, int] = field(default_factory=dict)


class _Text:
    def __init__(self, document: OpenDocument) -> None:
        self._document = document
        self._root = document.content
        self._roots = [document.content]
        if document.styles is not None:
            self._roots.insert(0, document.styles)
        self._styles = TextStyles(self._roots)
        self._headings: dict[int, int] = {}
        self._lists: dict[str, _List] = {}
        self._notes = {"footnote": 0, "endnote": 0}
        self._following: list[Block] = []
        self._equations: dict[str, str] = {}

    def markdown(self) -> str:
        """Returns the text of the file as Markdown."""
        body = next((each for each in self._root.iter("office:text")), None)
        blocks = [] if body is None else self._blocks(body)
        return write_pages(blocks, headers=self._running(_HEADERS), footers=self._running(_FOOTERS))

    def _blocks(self, container: Element) -> list[Block]:
        return [block for child in container for block in self._block(child)]

    def _block(self, element: Element) -> list[Block]:
        tag = element.tag
        if tag in _SKIPPED or self._is_section_hidden(element):
            return []
        if tag in _LISTS:
            return self._list(element, None, 1)
        if tag.startswith("drawing:"):
            # A frame that stands by itself, at a page.
            text = self._drawing(element).strip()
            following, self._following = self._following, []
            return [Block("paragraph", text), *following] if text else following
        if reader := self._readers.get(tag):
            return reader(self, element)
        return self._blocks(element)

    def _is_section_hidden(self, element: Element) -> bool:
        return element.tag == "text:section" and element.get("text:display") == "none"

    def _paragraph(self, element: Element) -> list[Block]:
        style = element.get("text:style-name", "")
        pages = [Block("page")] if self._styles.begins_page(style) else []
        outer, self._following = self._following, []
        text = "" if self._styles.is_hidden("paragraph", style) else self._inline(element)
        following, self._following = self._following, outer
        blocks: list[Block] = []
        if text.strip():
            if element.tag == "text:h":
                level = number_of(element.get("text:outline-level", ""), 1)
                blocks.append(Block("heading", text.strip(), level, self._heading_label(level)))
            else:
                blocks.append(Block("paragraph", text.strip()))
        soft = [Block("page")] if _has(element, "text:soft-page-break") else []
        return [*pages, *blocks, *following, *soft]

    def _inline(self, element: Element) -> str:
        return inline_text(element, self._other)

    def _other(self, element: Element) -> str | None:
        tag = element.tag
        if tag == "text:span":
            hidden = self._styles.is_hidden("text", element.get("text:style-name", ""))
            return "" if hidden else None
        if tag == "text:note":
            return self._note(element)
        if tag == "office:annotation":
            self._following += self._annotation(element)
            return ""
        if tag in {"text:hidden-text", "text:hidden-paragraph", "office:annotation-end"}:
            return ""
        if tag.startswith("drawing:"):
            return self._drawing(element)
        return None

    def _note(self, element: Element) -> str:
        kind = "endnote" if element.get("text:note-class") == "endnote" else "footnote"
        body = element.find("text:note-body")
        if body is None:
            return ""
        self._notes[kind] += 1
        number = self._notes[kind]
        mark = f"[^{number if kind == 'footnote' else roman(number)}]"
        text = flat(self._blocks(body))
        self._following.append(
            Block("footnote" if kind == "footnote" else "endnote", f"{mark}: {text}")
        )
        return mark

    def _annotation(self, element: Element) -> list[Block]:
        author = _text_of(element.find("dc:creator"))
        text = flat(
            block for child in element if child.tag[:3] != "dc:" for block in self._block(child)
        )
        if not text or element.tag != "office:annotation":
            return []
        return [Block("comment", f"Comment{f' ({author})' if author else ''}: {text}")]

    def _drawing(self, element: Element) -> str:
        """Returns the alternative text of a drawing; its boxes follow the paragraph."""
        texts = []
        for child in element:
            match child.tag:
                case "svg-compatible:title" | "svg-compatible:desc":
                    texts.append(" ".join(_text_of(child).split()))
                case "drawing:object":
                    texts.append(self._object(child))
                case "drawing:text-box":
                    self._following += self._blocks(child)
                case "text:p" | "text:h":
                    self._following += self._paragraph(child)
                case tag if tag in _LISTS:
                    self._following += self._list(child, None, 1)
                case tag if tag.startswith("drawing:"):
                    texts.append(self._drawing(child))
        return " ".join(dict.fromkeys(filter(None, texts)))

    def _object(self, element: Element) -> str:
        """Returns the text of an equation; other objects are no text."""
        inside = next((child for child in element if child.tag == "math:math"), None)
        if inside is not None:
            return linear(inside)
        folder = element.get("xlink:href", "").removeprefix("./").rstrip("/")
        if folder not in self._equations:
            self._equations[folder] = self._equation(folder)
        return self._equations[folder]

    def _equation(self, folder: str) -> str:
        root = self._document.embedded(folder)
        return linear(root) if root is not None and root.tag == "math:math" else ""

    def _list(self, element: Element, above: _List | None, level: int) -> list[Block]:
        name = element.get("text:style-name", "")
        this = self._begun(element, above, name)
        blocks: list[Block] = []
        for item in element:
            if item.tag in _ITEMS:
                blocks += self._item(item, this, level)
            elif item.tag == "text:soft-page-break":
                blocks.append(Block("page"))
        return blocks

    def _begun(self, element: Element, above: _List | None, name: str) -> _List:
        """Returns the list that an element is a part of."""
        if above is not None:
            return _List(self._styles.list_of(name), above.counts) if name else above
        continued = element.get("text:continue-list", "")
        goes_on = element.get("text:continue-numbering") == "true"
        found = self._lists.get(continued) or (self._lists.get(name) if goes_on else None)
        this = found or _List(self._styles.list_of(name))
        for key in filter(None, (name, element.get("xml:id"))):
            self._lists[key] = this
        return this

    def _item(self, item: Element, this: _List, level: int) -> list[Block]:
        blocks: list[Block] = []
        is_header = item.tag == "text:list-header"
        mark: str | None = None
        if not is_header:
            mark = self._count(item, this, level)
        for child in item:
            if child.tag in _LISTS:
                blocks += self._list(child, this, level + 1)
                continue
            for block in self._block(child):
                if block.kind == "paragraph" and mark is not None:
                    blocks.append(Block("item", block.text, level - 1, mark))
                    mark = None
                elif block.kind == "paragraph":
                    # Another paragraph of an item, or the header of a list, has no mark.
                    blocks.append(block)
                else:
                    blocks.append(block)
        return blocks

    def _count(self, item: Element, this: _List, level: int) -> str:
        start = this.style[level].start if level in this.style else 1
        stated = item.get("text:start-value", "")
        if stated.isdecimal():
            this.counts[level] = number_of(stated, 1)
        else:
            this.counts[level] = this.counts.get(level, start - 1) + 1
        for below in [each for each in this.counts if each > level]:
            del this.counts[below]
        return label(this.style, this.counts, level)

    def _heading_label(self, level: int) -> str:
        self._headings[level] = self._headings.get(level, 0) + 1
        for below in [each for each in self._headings if each > level]:
            del self._headings[below]
        return label(self._styles.outline, self._headings, level)

    def _table(self, element: Element) -> list[Block]:
        pages = (
            [Block("page")] if self._styles.begins_page(element.get("table:style-name", "")) else []
        )
        rows: list[list[Cell]] = []
        for row in _rows(element):
            rows.append(self._row(row))
        return [*pages, *arrange(rows)]

    def _row(self, row: Element) -> list[Cell]:
        cells: list[Cell] = []
        column = 0
        covered = 0
        for cell in row:
            if cell.tag not in _CELLS:
                continue
            blocks = self._blocks(cell)
            repeated = number_of(cell.get("table:number-columns-repeated", ""), 1)
            if cell.tag == "table:table-cell":
                covered = number_of(cell.get("table:number-columns-spanned", ""), 1)
                cells.append(Cell(column, blocks))
                if repeated <= _MAX_REPEATED:
                    texts = [block for block in blocks if block.kind in _REPEATED]
                    cells += [Cell(column + index, texts) for index in range(1, repeated)]
            elif covered <= 0 or blocks:
                cells.append(Cell(column, blocks, is_continued=covered <= 0))
            column += repeated
            covered -= repeated
        return cells

    def _running(self, tags: tuple[str, ...]) -> list[Block]:
        found: dict[str, Block] = {}
        for root in self._roots:
            for page in root.iter("style:master-page"):
                for child in page:
                    if child.tag in tags and child.get("style:display") != "false":
                        add_running(found, self._running_blocks(child))
        return [*found.values()]

    def _running_blocks(self, element: Element) -> Iterator[Block]:
        for block in self._blocks(element):
            if block.kind == "heading":
                yield Block("paragraph", block.text)
            elif block.kind != "page":
                yield block

    _readers: ClassVar[dict[str, Callable[[_Text, Element], list[Block]]]] = {
        "text:p": _paragraph,
        "text:h": _paragraph,
        "text:soft-page-break": lambda _self, _element: [Block("page")],
        "table:table": _table,
        "office:annotation": _annotation,
    }


def _rows(element: Element) -> Iterator[Element]:
    for child in element:
        if child.tag == "table:table-row":
            yield child
        elif child.tag in _ROWS:
            yield from _rows(child)


def _has(element: Element, tag: str) -> bool:
    return next(element.iter(tag), None) is not None


def _text_of(element: Element | None) -> str:
    return "" if element is None else "".join(element.itertext()).strip()
