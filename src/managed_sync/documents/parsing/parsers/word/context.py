"""The interfaces between the readers of a Word file, its stories and its paragraphs."""

from __future__ import annotations

from typing import Protocol
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.office.package import Package
from managed_sync.documents.parsing.parsers.word.blocks import Block
from managed_sync.documents.parsing.parsers.word.fields import Fields
from managed_sync.documents.parsing.parsers.word.numbering import Label
from managed_sync.documents.parsing.parsers.word.styles import Styles

__all__ = ["StoryContext", "WordFile"]


class WordFile(Protocol):
    """A Word file, as the reader of a story sees it."""

    package: Package
    styles: Styles

    def label(self, properties: Element | None, style: str) -> Label | None:
        """Counts a paragraph in its list, and returns its mark if it is in one."""
        ...

    def is_followed_by_page(self, section: Element) -> bool:
        """Tells whether the section after another one begins on a new page."""
        ...

    def note(self, kind: str, identifier: str) -> tuple[str, list[Block]]:
        """Returns the mark of a footnote or an endnote, and its text where the mark is new."""
        ...

    def comment(self, identifier: str) -> list[Block]:
        """Returns a comment, once."""
        ...

    def chart(self, part: str) -> list[Block]:
        """Returns the title and the data of a chart, once."""
        ...

    def diagram(self, part: str) -> list[Block]:
        """Returns the texts of SmartArt, once."""
        ...

    def embedded(self, part: str) -> list[Block]:
        """Returns the text of a whole document within this one, once."""
        ...


class StoryContext(Protocol):
    """A story, as the reader of a paragraph sees it."""

    document: WordFile
    fields: Fields

    def target(self, relationship: str) -> str:
        """Returns the address of a link, or an empty string."""
        ...

    def text_box(self, content: Element) -> list[Block]:
        """Returns the blocks of a text box."""
        ...

    def chart(self, relationship: str) -> list[Block]:
        """Returns the texts of a chart."""
        ...

    def diagram(self, relationship: str) -> list[Block]:
        """Returns the texts of SmartArt."""
        ...
