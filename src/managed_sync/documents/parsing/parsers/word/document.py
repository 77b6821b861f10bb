"""Reads Word files (``docx``, ``docm``, ``dotx``, ``dotm``), transitional and Strict.

The text has the parts that Word shows: headers, body, notes, comments, footers. Tracked insertions
are text, deletions and hidden text are not. See ``docs/decisions/0038-documents-word.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import pairwise
from typing import TypeAlias
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import PAGE_BREAK
from managed_sync.documents.parsing.parsers.office.charts import chart_blocks
from managed_sync.documents.parsing.parsers.office.diagrams import diagram_blocks
from managed_sync.documents.parsing.parsers.office.package import Package, reading
from managed_sync.documents.parsing.parsers.word.attributes import value_of
from managed_sync.documents.parsing.parsers.word.blocks import (
    Block,
    add_running,
    flat,
    write_pages,
)
from managed_sync.documents.parsing.parsers.word.numbering import Label, Numbering, roman
from managed_sync.documents.parsing.parsers.word.story import Story
from managed_sync.documents.parsing.parsers.word.styles import Styles
from managed_sync.errors import DocumentError, ParsingError

__all__ = ["Document", "parse_word"]

ReadEmbedded: TypeAlias = Callable[[bytes, str, str], str]

_NOTES = {"footnotes": "w:footnote", "endnotes": "w:endnote"}
_HEADERS, _FOOTERS = "w:headerReference", "w:footerReference"


def parse_word(data: bytes, *, name: str, read_embedded: ReadEmbedded | None = None) -> str:
    """Reads a Word file; it has pages if Word recorded them or the author set breaks.

    Args:
        data: The bytes of the file.
        name: The name of the file in error messages.
        read_embedded: Reads a whole document within this one, from its bytes, content type and
            name; without it, such documents are left out.

    Raises:
        ParsingError: The file is damaged, or nested too deeply.
    """
    with reading(name):
        return Document(Package(data, name=name), name=name, read_embedded=read_embedded).text()


class Document:
    """A Word file and what has been read of it.

    Args:
        package: Its parts.
        name: Its name in error messages.
        read_embedded: See :func:`parse_word`.
    """

    def __init__(self, package: Package, *, name: str, read_embedded: ReadEmbedded | None) -> None:
        self.package = package
        self._name = name
        self._read_embedded = read_embedded
        self._marks: dict[tuple[str, str], str] = {}
        self._count: dict[str, int] = {}
        self._read_parts: set[str] = set()
        self._read_notes: dict[str, tuple[str, dict[str, Element]]] = {}
        self._sections: list[Element] = []
        self.styles = Styles(self._related("styles")[1])
        self._numbering = Numbering(self._related("numbering")[1])

    def text(self) -> str:
        """Returns the text of the file, as Markdown."""
        root = self.package.xml(self.package.main_part)
        if root is None:
            raise ParsingError(f"{self._name} is damaged: it has no document in it.")
        old = {id(each) for change in root.iter("w:sectPrChange") for each in change}
        self._sections = [each for each in root.iter("w:sectPr") if id(each) not in old]
        body = Story(self, self.package.main_part, is_main=True).blocks(root)
        return write_pages(
            body,
            headers=self._running(_HEADERS),
            footers=[*self._unplaced_comments(), *self._running(_FOOTERS)],
        )

    def label(self, properties: Element | None, style: str) -> Label | None:
        """Counts a paragraph in its list, and returns its mark if it is in one."""
        number, level = self.styles.numbering(style)
        direct = None if properties is None else properties.find("w:numPr")
        if direct is not None:
            number = value_of(direct, "w:numId") or number
            stated = value_of(direct, "w:ilvl")
            level = int(stated) if stated.isdecimal() else level
        return self._numbering.next_label(number, level, style)

    def is_followed_by_page(self, section: Element) -> bool:
        """Tells whether the section after another one begins on a new page."""
        return self._begins_page.get(id(section), False)

    def note(self, kind: str, identifier: str) -> tuple[str, list[Block]]:
        """Returns the mark of a footnote or an endnote, and its text where the mark is new."""
        key = (kind, identifier)
        if key in self._marks:
            return self._marks[key], []
        part, notes = self._notes(kind)
        if identifier not in notes:
            return "", []
        self._count[kind] = number = self._count.get(kind, 0) + 1
        # Word numbers footnotes 1, 2, 3 and endnotes i, ii, iii.
        mark = f"[^{number if kind == 'footnotes' else roman(number)}]"
        self._marks[key] = mark
        text = flat(Story(self, part).blocks(notes[identifier]))
        block = Block("footnote" if kind == "footnotes" else "endnote", f"{mark}: {text}")
        return mark, [block] if text else []

    def comment(self, identifier: str) -> list[Block]:
        """Returns a comment, once."""
        part, comments = self._comments
        comment = comments.pop(identifier, None)
        if comment is None:
            return []
        author = comment.get("w:author", "").strip()
        text = flat(Story(self, part).blocks(comment))
        return (
            [Block("comment", f"Comment{f' ({author})' if author else ''}: {text}")] if text else []
        )

    def chart(self, part: str) -> list[Block]:
        """Returns the title and the data of a chart, once."""
        root = self.package.xml(self._first_time(part))
        return [] if root is None else [Block("markdown", text) for text in chart_blocks(root)]

    def diagram(self, part: str) -> list[Block]:
        """Returns the texts of SmartArt, once."""
        root = self.package.xml(self._first_time(part))
        return [] if root is None else [Block("markdown", text) for text in diagram_blocks(root)]

    def embedded(self, part: str) -> list[Block]:
        """Returns the text of a whole document within this one, once."""
        data = self.package.read(self._first_time(part))
        if not data or self._read_embedded is None:
            return []
        try:
            text = self._read_embedded(data, self.package.content_type(part), part)
        except DocumentError:
            # Word shows the rest, too.
            return []
        return [Block("markdown", text.replace(PAGE_BREAK, "").strip())]

    def _first_time(self, part: str) -> str:
        """Returns a part's name if it was not read before, so that no part is read many times."""
        if part in self._read_parts:
            return ""
        self._read_parts.add(part)
        return part

    @cached_property
    def _begins_page(self) -> dict[int, bool]:
        return {
            id(section): value_of(following, "w:type") not in {"continuous", "nextColumn"}
            for section, following in pairwise(self._sections)
        }

    @cached_property
    def _comments(self) -> tuple[str, dict[str, Element]]:
        part, root = self._related("comments")
        return part, _by_id(root, "w:comment")

    def _notes(self, kind: str) -> tuple[str, dict[str, Element]]:
        if kind not in self._read_notes:
            part, root = self._related(kind)
            self._read_notes[kind] = part, _by_id(root, _NOTES[kind])
        return self._read_notes[kind]

    def _unplaced_comments(self) -> list[Block]:
        """Returns the comments whose places were deleted."""
        return [block for identifier in [*self._comments[1]] for block in self.comment(identifier)]

    def _running(self, kind: str) -> list[Block]:
        """Returns the headers or the footers of all sections, each text once."""
        relationships = self.package.relationships(self.package.main_part)
        found: dict[str, Block] = {}
        read: set[str] = set()
        for section in self._sections:
            for reference in section.iter(kind):
                relationship = relationships.get(reference.get("r:id", ""))
                if relationship is None or relationship.target in read:
                    continue
                read.add(relationship.target)
                root = self.package.xml(relationship.target)
                if root is None:
                    continue
                add_running(found, Story(self, relationship.target).blocks(root))
        return [*found.values()]

    def _related(self, kind: str) -> tuple[str, Element | None]:
        """Returns a part that the main one points to and its root, if it can be read."""
        for part in self.package.related(self.package.main_part, kind):
            root = self.package.xml(part)
            if root is not None:
                return part, root
        return "", None


def _by_id(root: Element | None, tag: str) -> dict[str, Element]:
    if root is None:
        return {}
    return {
        each.get("w:id", ""): each
        for each in root.iter(tag)
        if "separator" not in each.get("w:type", "").lower()
    }
