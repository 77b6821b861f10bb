"""Tells the content of a web page from its navigation, headers, footers and asides."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cached_property

from managed_sync.documents.parsing.parsers.web.html_inline import is_hidden
from managed_sync.documents.parsing.parsers.web.html_tree import Contains, Element, Node, part_of

__all__ = ["PageParts", "base_of"]

# Navigation is links and short texts; an element with more other letters is something else.
_PROSE = 400
_AROUND_MAIN = {"aside", "header", "footer", "search"}
_AROUND_ARTICLES = {"aside"}


class PageParts:
    """Decides which elements of a page are not part of its content.

    Hidden elements and navigation are left out, and so are headers, footers and asides outside of
    the main part, if the page marks one. Next to articles, only asides are left out.

    Args:
        root: The root of the page.
        shows_all: Leaves out only scripts and styles.
    """

    def __init__(self, root: Element, *, shows_all: bool) -> None:
        self._root = root
        self._shows_all = shows_all
        self._main = _content_mark(root)
        self._around = _AROUND_MAIN if self._main == Contains.MAIN else _AROUND_ARTICLES

    def leaves_out(self, element: Element, *, is_inside: bool) -> bool:
        """Tells whether an element is not part of the content.

        Args:
            element: The element.
            is_inside: True inside of the main part or an article.
        """
        if is_hidden(element, shows_all=self._shows_all):
            return True
        if self._shows_all:
            return False
        part = part_of(element)
        if part == "nav":
            return not _is_prose(element)
        if part not in self._around or is_inside or element.contains & self._main:
            return False
        # The only title of a page may be above its main part.
        is_title = part == "header" and element.contains & Contains.TITLE and self._has_one_title
        return bool(self._main) and not is_title

    @cached_property
    def _has_one_title(self) -> bool:
        titles = (found for found in _elements(self._root) if found.tag == "h1")
        return sum(1 for _ in itertools.islice(titles, 2)) == 1


def base_of(root: Element) -> str:
    """Returns the address that links without one start from; empty if the page states none."""
    for element in _elements(root) if root.contains & Contains.BASE else ():
        if element.tag == "base" and element.get("href").startswith(("http://", "https://")):
            return element.get("href")
    return ""


def _elements(root: Element) -> Iterator[Element]:
    stack: list[Node] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, Element):
            yield node
            stack += reversed(node.children)


def _content_mark(root: Element) -> int:
    """Returns the bit of the visible part that holds the content: main, or articles."""
    found = 0
    for element in _elements(root) if root.contains & (Contains.MAIN | Contains.ARTICLE) else ():
        part = part_of(element)
        if part == "main" and not is_hidden(element):
            return Contains.MAIN
        if part == "article" and not is_hidden(element):
            found = Contains.ARTICLE
    return found


def _is_prose(nav: Element) -> bool:
    if nav.contains & (Contains.MAIN | Contains.ARTICLE | Contains.TITLE):
        return True
    return nav.letters - nav.linked > max(_PROSE, nav.linked)
