"""Reads the comments on cells of ``.xlsx`` workbooks: notes, and threads with their answers."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.parsers.office.package import Package
from managed_sync.documents.parsing.parsers.workbooks.cells import cell_position, unescape
from managed_sync.documents.parsing.parsers.workbooks.sheets import Comment, comment

__all__ = ["read_comments"]

# The author of the note that Excel adds for older versions, which repeats a whole thread.
_OF_THREAD = "tc={"


def read_comments(package: Package, part: str) -> list[Comment]:
    """Returns the comments on a sheet in the order of the file."""
    comments = []
    threads = [
        root
        for name in package.related(part, "threadedComment")
        if (root := package.xml(name)) is not None
    ]
    for name in package.related(part, "comments"):
        if name.endswith(".xml") and (root := package.xml(name)) is not None:
            comments += _notes(root, without_threads=bool(threads))
    people = _people(package) if threads else {}
    for root in threads:
        for entry in root.iter("threadedComment"):
            text = "".join(one.text or "" for one in entry.iter("text"))
            comments += _comment(entry, text, people.get(entry.get("personId", ""), ""))
    return comments


def _notes(root: Element, *, without_threads: bool) -> list[Comment]:
    authors = [author.text or "" for author in root.iter("x:author")]
    notes = []
    for entry in root.iter("x:comment"):
        number = entry.get("authorId", "")
        is_known = number.isdigit() and int(number) < len(authors)
        author = authors[int(number)] if is_known else ""
        if author.startswith(_OF_THREAD):
            if without_threads:
                continue
            author = ""
        # The readings above Japanese text are parts of "rPh".
        runs = [run for text in entry.iter("x:text") for run in text]
        parts = [run for run in runs if run.tag in {"x:t", "x:r"}]
        words = "".join(t.text or "" for part in parts for t in part.iter("x:t"))
        notes += _comment(entry, unescape(words), author)
    return notes


def _comment(entry: Element, text: str, author: str) -> list[Comment]:
    position = cell_position(entry.get("ref", ""))
    words = comment(text, author)
    return [Comment(position[0] if position else 0, words)] if words else []


def _people(package: Package) -> dict[str, str]:
    return {
        person.get("id", ""): person.get("displayName", "")
        for part in package.related(package.main_part, "person")
        if (root := package.xml(part)) is not None
        for person in root.iter("person")
    }
