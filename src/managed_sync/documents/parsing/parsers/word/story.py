"""Reads a story of a Word file: its body, a header, a note, a comment or a text box."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.word.attributes import is_on, value_of
from managed_sync.documents.parsing.parsers.word.blocks import SET, Block
from managed_sync.documents.parsing.parsers.word.context import WordFile
from managed_sync.documents.parsing.parsers.word.fields import Fields
from managed_sync.documents.parsing.parsers.word.inlines import PAGE, RENDERED_PAGE, Inlines
from managed_sync.documents.parsing.parsers.word.numbering import Label
from managed_sync.documents.parsing.parsers.word.styles import outline_level
from managed_sync.documents.parsing.parsers.word.tables import read_table

__all__ = ["Story"]

_BLOCKS = {"w:p", "w:tbl", "w:altChunk"}
# Some programs write these without a paragraph around them.
_INLINES = {"w:r", "m:oMath", "m:oMathPara", "w:hyperlink", "w:fldSimple", "w:bdo", "w:dir"}
_SKIPPED = {
    *("w:tcPr", "w:sdtPr", "w:sdtEndPr", "w:customXmlPr", "w:smartTagPr", "w:sectPr"),
    *("w:del", "w:moveFrom", "mc:Fallback"),
}
_PAGES = re.compile(f"([{PAGE}{RENDERED_PAGE}])")


@dataclass
class Story:
    """A sequence of paragraphs and tables.

    Attributes:
        document: The file.
        part: The name of the part that the story is in, whose relationships hold for it.
        fields: The fields that have begun and not ended.
        is_main: Tells whether it is the body, which alone has pages and headings.
    """

    document: WordFile
    part: str
    is_main: bool = False
    fields: Fields = field(default_factory=Fields)
    _carried: str = ""

    def text_box(self, content: Element) -> list[Block]:
        """Returns the blocks of a text box."""
        return Story(self.document, self.part).blocks(content)

    def blocks(self, container: Element) -> list[Block]:
        """Returns the blocks in an element."""
        blocks: list[Block] = []
        loose: list[Element] = []
        for element in self._through(container):
            if element.tag in _INLINES:
                loose.append(element)
                continue
            blocks += self._loose(loose)
            match element.tag:
                case "w:p":
                    blocks += self._paragraph(element)
                case "w:tbl":
                    blocks += read_table(element, self.blocks)
                case _:
                    blocks += self.document.embedded(self._target_part(element.get("r:id", "")))
        blocks += self._loose(loose)
        if rest := self._carried.strip():
            blocks.append(Block("paragraph", rest))
        self._carried = ""
        return blocks

    def target(self, relationship: str) -> str:
        """Returns the address of a link, or an empty string."""
        found = self.document.package.relationships(self.part).get(relationship)
        return found.target if found and found.is_external else ""

    def chart(self, relationship: str) -> list[Block]:
        """Returns the texts of a chart."""
        return self.document.chart(self._target_part(relationship))

    def diagram(self, relationship: str) -> list[Block]:
        """Returns the texts of SmartArt."""
        return self.document.diagram(self._target_part(relationship))

    def _target_part(self, relationship: str) -> str:
        found = self.document.package.relationships(self.part).get(relationship)
        return "" if found is None or found.is_external else found.target

    def _through(self, container: Element) -> Iterator[Element]:
        """Yields the paragraphs and tables in an element, also those within content controls."""
        waiting = [iter(container)]
        while waiting:
            child = next(waiting[-1], None)
            if child is None:
                waiting.pop()
            elif child.tag in _BLOCKS or child.tag in _INLINES:
                yield child
            elif child.tag not in _SKIPPED:
                waiting.append(iter(child))

    def _loose(self, elements: list[Element]) -> list[Block]:
        if not elements:
            return []
        paragraph = Element("w:p")
        paragraph.extend(elements)
        elements.clear()
        return self._paragraph(paragraph)

    def _paragraph(self, paragraph: Element) -> list[Block]:
        properties = paragraph.find("w:pPr")
        style = value_of(properties, "w:pStyle")
        inlines = Inlines(self)
        text = inlines.read(
            paragraph, is_hidden=bool(style) and self.document.styles.is_hidden(style)
        )
        if self._joins_next(properties):
            self._carried += text
            return inlines.following
        text, self._carried = self._carried + text, ""
        # An empty item counts, too.
        label = self.document.label(properties, style)
        if not self.is_main:
            text = text.replace(PAGE, "\n").replace(RENDERED_PAGE, "")
        blocks = self._pages(text, lambda piece: self._shaped(piece, properties, style, label))
        if self.is_main and is_on(properties, "w:pageBreakBefore"):
            blocks.insert(0, Block("page"))
        blocks += inlines.following
        section = None if properties is None else properties.find("w:sectPr")
        if self.is_main and section is not None and self.document.is_followed_by_page(section):
            blocks.append(Block("page"))
        return blocks

    def _pages(self, text: str, shaped: Callable[[str], Block]) -> list[Block]:
        """Returns a paragraph's blocks: one, or several with page breaks between them."""
        blocks: list[Block] = []
        rendered: list[Block] = []
        piece = ""
        for part in [*_PAGES.split(text), PAGE]:
            if part == RENDERED_PAGE:
                # A page that begins within a paragraph begins after it: no sentence is cut.
                (rendered if piece.strip() else blocks).append(Block("page"))
            elif part != PAGE:
                piece += part
            else:
                if piece.strip():
                    is_first = all(block.kind == "page" for block in blocks)
                    text = piece.strip()
                    blocks.append(shaped(text) if is_first else Block("paragraph", text))
                blocks += [*rendered, Block("page", label=SET)]
                piece, rendered = "", []
        # The last break is the end of the paragraph.
        return blocks[:-1]

    def _shaped(
        self, text: str, properties: Element | None, style: str, label: Label | None
    ) -> Block:
        level = self._heading_level(properties, style)
        if level and self.is_main:
            return Block("heading", text, level, label.text if label else "")
        if label is not None:
            depth = max(label.depth, self.document.styles.list_depth(style))
            return Block("item", text, depth, label.text)
        if (depth := self.document.styles.list_depth(style)) >= 0:
            return Block("item", text, depth)
        return Block("paragraph", text)

    def _heading_level(self, properties: Element | None, style: str) -> int:
        stated = outline_level(properties)
        return self.document.styles.heading_level(style) if stated is None else stated

    def _joins_next(self, properties: Element | None) -> bool:
        """Tells whether a paragraph goes on in the next one.

        Its end was deleted while changes are tracked, or it is a large first letter.
        """
        if properties is None:
            return False
        mark = properties.find("w:rPr")
        if mark is not None and mark.find("w:del") is not None:
            return True
        frame = properties.find("w:framePr")
        return frame is not None and frame.get("w:dropCap", "none") != "none"
