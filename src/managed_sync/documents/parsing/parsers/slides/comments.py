"""Reads the comments on slides: single ones of old versions, and threads with their answers."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import paragraph
from managed_sync.documents.parsing.parsers.office.drawing_text import plain_text
from managed_sync.documents.parsing.parsers.office.package import Package

__all__ = ["CommentAuthors", "comment_blocks"]


class CommentAuthors:
    """The names of the people who comment on the slides of a presentation."""

    def __init__(self, package: Package) -> None:
        self._names: dict[str, str] = {}
        main = package.main_part
        for part in [*package.related(main, "commentAuthors"), *package.related(main, "authors")]:
            if (root := package.xml(part)) is not None:
                for author in root:
                    self._names[author.get("id", "")] = author.get("name", "")

    def name(self, entry: Element) -> str:
        """Returns the name of who wrote a comment, or an empty string."""
        return " ".join(self._names.get(entry.get("authorId", ""), "").split())


def comment_blocks(package: Package, slide: str, authors: CommentAuthors) -> Iterator[str]:
    """Yields the comments on a slide as paragraphs."""
    for part in package.related(slide, "comments"):
        root = package.xml(part)
        if root is None:
            continue
        for entry in root.iter():
            if entry.tag == "p:cm":
                text = "\n".join(one.text or "" for one in entry if one.tag == "p:text")
            elif entry.tag in {"cm", "reply"}:
                text = "\n".join(plain_text(one) for one in entry if one.tag == "txBody")
            else:
                continue
            author = authors.name(entry)
            if text.strip():
                yield paragraph(f"Comment ({author}): {text}" if author else f"Comment: {text}")
