"""Reads ``.pptx`` presentations, and those with macros, shows, templates and Strict ones.

- The title of a slide is its heading; everything else follows in the order of the file, which
  screen readers use, too.
- Charts are tables, diagrams are lists, and the descriptions of pictures are paragraphs.
- Hidden slides are read: any reader of the file can unhide them.
- The texts of layouts and masters are left out. A footer is kept on the first slide that has it.

See ``docs/decisions/0040-documents-workbooks-slides.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import (
    heading,
    join_blocks,
    join_pages,
    paragraph,
    table,
)
from managed_sync.documents.parsing.parsers.office.charts import chart_blocks
from managed_sync.documents.parsing.parsers.office.diagrams import diagram_blocks
from managed_sync.documents.parsing.parsers.office.drawing_text import (
    alternative_text,
    drawing_blocks,
    plain_text,
    text_blocks,
)
from managed_sync.documents.parsing.parsers.office.package import Package, reading
from managed_sync.documents.parsing.parsers.slides.comments import (
    CommentAuthors,
    comment_blocks,
)
from managed_sync.documents.parsing.parsers.slides.placeholders import (
    TITLES,
    Placeholders,
    placeholder_of,
)

__all__ = ["parse_pptx"]

_REPEATED = {"ftr", "hdr", "dt"}
# A longer text of a merged cell is in its first row only.
_MAX_REPEATED = 100


def parse_pptx(data: bytes, *, name: str) -> str:
    """Reads a presentation, with a page for each slide.

    Raises:
        ParsingError: The file is damaged or protected.
    """
    with reading(name):
        package = Package(data, name=name)
        root = package.xml(package.main_part)
        if root is None:
            raise LookupError("it has no presentation in it")
        presentation = _Presentation(package)
        relationships = package.relationships(package.main_part)
        targets = (relationships.get(one.get("r:id", "")) for one in root.iter("p:sldId"))
        parts = [target.target for target in targets if target and target.target in package]
        return join_pages(page for part in parts if (page := join_blocks(presentation.slide(part))))


class _Presentation:
    """A presentation, whose slides share authors, layouts and footers."""

    def __init__(self, package: Package) -> None:
        self._package = package
        self._placeholders = Placeholders(package)
        self._authors = CommentAuthors(package)
        self._repeated: set[str] = set()

    def slide(self, part: str) -> Iterator[str]:
        """Yields the blocks of a slide: title, contents, footer, notes, comments."""
        root = self._package.xml(part)
        if root is None:
            return
        reader = _SlideReader(self._package, part, self._placeholders)
        blocks = [block for tree in root.iter("p:spTree") for block in reader.blocks(tree)]
        if reader.title:
            yield heading(reader.title, 1)
        yield from blocks
        for text in reader.repeated:
            if text not in self._repeated:
                self._repeated.add(text)
                yield paragraph(text)
        for notes in self._package.related(part, "notesSlide"):
            yield self._notes(notes)
        yield from comment_blocks(self._package, part, self._authors)

    def _notes(self, part: str) -> str:
        root = self._package.xml(part)
        if root is None:
            return ""
        reader = _SlideReader(self._package, part, None)
        blocks = [block for tree in root.iter("p:spTree") for block in reader.blocks(tree)]
        text = join_blocks(blocks)
        return f"Notes: {text}" if text else ""


class _SlideReader:
    """Reads the shapes of a slide or of its notes.

    Attributes:
        title: The text of the title.
        repeated: The texts of footers, headers and dates.
    """

    def __init__(self, package: Package, part: str, placeholders: Placeholders | None) -> None:
        self._package = package
        self._part = part
        self._links = package.relationships(part)
        self._placeholders = placeholders
        self.title = ""
        self.repeated: list[str] = []

    def blocks(self, tree: Element) -> Iterator[str]:
        """Yields the blocks of the shapes in a slide or a group."""
        for shape in tree:
            match shape.tag:
                case "p:sp" | "p:cxnSp":
                    yield from self._shape(shape)
                case "p:grpSp":
                    yield self._description(shape, "p:nvGrpSpPr")
                    yield from self.blocks(shape)
                case "p:pic":
                    yield self._description(shape, "p:nvPicPr")
                case "p:graphicFrame":
                    yield self._description(shape, "p:nvGraphicFramePr")
                    yield from self._graphic(shape)
                case "mc:AlternateContent":
                    yield from self._alternative(shape)

    def _alternative(self, element: Element) -> Iterator[str]:
        """Yields the blocks of the first alternative that has any."""
        for choice in element:
            blocks = [block for block in self.blocks(choice) if block]
            if blocks:
                yield from blocks
                return

    def _shape(self, shape: Element) -> Iterator[str]:
        placeholder = placeholder_of(shape)
        kind = placeholder[0] if placeholder else ""
        body = shape.find("p:txBody")
        if kind in {"sldNum", "sldImg"}:
            return
        if kind in _REPEATED:
            text = plain_text(body, self._links) if body is not None else ""
            if text and self._placeholders:
                self.repeated.append(text)
            return
        if not placeholder or kind not in TITLES:
            yield self._description(shape, "p:nvSpPr")
        if body is None:
            return
        if kind in TITLES and not self.title and self._placeholders:
            self.title = plain_text(body, self._links)
            return
        placeholders = self._placeholders
        yield join_blocks(
            text_blocks(
                body,
                self._links,
                bulleted=(
                    (lambda level: placeholders.bulleted(self._part, placeholder, shape, level))
                    if placeholders
                    else None
                ),
            )
        )

    def _description(self, shape: Element, properties: str) -> str:
        found = shape.find(properties)
        return alternative_text(found.find("p:cNvPr") if found is not None else None)

    def _graphic(self, frame: Element) -> Iterator[str]:
        for element in frame.iter():
            match element.tag:
                case "a:tbl":
                    yield self._table(element)
                case "c:chart" | "cx:chart":
                    yield from self._chart(element.get("r:id", ""))
                case "dgm:relIds":
                    yield from self._diagram(element.get("r:dm", ""))
                case "p:pic":
                    # The picture that stands for an embedded object.
                    yield self._description(element, "p:nvPicPr")

    def _table(self, element: Element) -> str:
        rows: list[list[str]] = []
        for row in element:
            if row.tag == "a:tr":
                above = rows[-1] if rows else []
                cells = [cell for cell in row if cell.tag == "a:tc"]
                rows.append([self._cell(cell, above[at : at + 1]) for at, cell in enumerate(cells)])
        return table(rows)

    def _cell(self, cell: Element, above: Sequence[str]) -> str:
        """Returns the text of a cell.

        The cells that a merged cell covers are there, and may hold leftover text. A short text of a
        cell over several rows is repeated in each of them, since a chunk may begin at any row.
        """
        if cell.get("hMerge", "0") in {"1", "true"}:
            return ""
        if cell.get("vMerge", "0") in {"1", "true"}:
            return "".join(text for text in above if len(text) <= _MAX_REPEATED)
        return plain_text(cell, self._links)

    def _chart(self, key: str) -> Iterator[str]:
        part = self._target(key)
        root = self._package.xml(part)
        if root is not None:
            yield from chart_blocks(root)
            for drawing in self._package.related(part, "chartUserShapes"):
                if (shapes := self._package.xml(drawing)) is not None:
                    yield from drawing_blocks(shapes, self._package.relationships(drawing))

    def _diagram(self, key: str) -> Iterator[str]:
        root = self._package.xml(self._target(key))
        if root is not None:
            yield from diagram_blocks(root)

    def _target(self, key: str) -> str:
        found = self._links.get(key)
        return found.target if found and not found.is_external else ""
