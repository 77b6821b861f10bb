"""Parses HTML as browsers do, into a light tree of bounded depth.

``lxml`` reports the tags and texts of a page one by one, in time proportional to its size. Building
the tree here keeps the text of pages that are nested deeper than its own trees may be.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from managed_sync.documents.parsing.base import missing_parser
from managed_sync.documents.parsing.markdown_writer import clean

__all__ = ["BLOCKS", "UNSEEN", "Contains", "Element", "Node", "parse_tree", "part_of"]

_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})
# Browsers have a limit too; the tags below it become parts of the element at the limit.
_MAX_DEPTH = 120
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_BLOCKS_NAMES = (
    "address article aside blockquote body caption center dd details dialog dir div dl dt "
    "fieldset figcaption figure footer form frameset head header hgroup hr html legend li "
    "listing main menu nav ol optgroup p plaintext pre search section summary table tbody td "
    "textarea tfoot th thead tr ul xmp"
)
BLOCKS = frozenset(_BLOCKS_NAMES.split()).union(_HEADINGS)
# Browsers show none of these, or only if they cannot show something better.
_UNSEEN_NAMES = (
    "applet area audio base canvas datalist iframe link meta noembed noframes noscript param "
    "no-content rp script source style template title track video"
)
UNSEEN = frozenset(_UNSEEN_NAMES.split())


# In XHTML, any element may end in its first tag; a parser of HTML would read on for its end tag.
_XHTML = re.compile(r"\A\s*<\?xml\b|\bxmlns\s*=\s*[\"']http://www\.w3\.org/1999/xhtml")
_SELF_CLOSED = re.compile(r"<([a-zA-Z][\w:.-]*)((?:\s[^<>]*)?)/>")
# The parser takes what is in these for a text; under another name it has tags.
_RAW = re.compile(r"<(/?)(?:noframes|noembed)\b", re.IGNORECASE)
# Confluence's storage format: XML with the tags of HTML and some of its own.
_STORAGE = re.compile(r"<(?:ac|ri):[a-z-]{1,60}[\s/>]")
_STORED_CODE = re.compile(r"<(/?)ac:plain-text-body\b[^<>]*>")
_CDATA, _CDATA_END = "<![CDATA[", "]]>"
_INLINE_STYLE = re.compile(r"(?:^|;)\s*display\s*:\s*inline\s*(?:;|!|$)", re.IGNORECASE)
_VOID = {
    *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param"),
    *("source", "track", "wbr"),
}
_START = 4096
_ROLES = {
    "navigation": "nav",
    "banner": "header",
    "contentinfo": "footer",
    "complementary": "aside",
    "search": "search",
    "main": "main",
    "article": "article",
}


class Contains:
    """The bits for the kinds of elements that are somewhere inside another one."""

    BLOCK: Final = 1
    MAIN: Final = 2
    ARTICLE: Final = 4
    TITLE: Final = 8
    HEADING: Final = 16
    TABLE: Final = 32
    BASE: Final = 64


_MARKS = {
    **dict.fromkeys(BLOCKS, Contains.BLOCK),
    **dict.fromkeys(_HEADINGS, Contains.BLOCK | Contains.HEADING),
    "h1": Contains.BLOCK | Contains.HEADING | Contains.TITLE,
    "main": Contains.BLOCK | Contains.MAIN,
    "article": Contains.BLOCK | Contains.ARTICLE,
    "table": Contains.BLOCK | Contains.TABLE,
    "base": Contains.BASE,
}


class Element:
    """An element of a page.

    Attributes:
        tag: Its name, in small letters.
        attributes: Its attributes.
        children: The elements and texts in it, in order.
        contains: The bits for the kinds of elements somewhere inside it.
        letters: The length of the texts in it.
        linked: The length of those that are links.
    """

    __slots__ = ("attributes", "children", "contains", "letters", "linked", "tag")

    def __init__(self, tag: str, attributes: Mapping[str, str] = _NO_ATTRIBUTES) -> None:
        self.tag = tag
        self.attributes = attributes
        self.children: list[Node] = []
        self.contains = self.letters = self.linked = 0

    def get(self, name: str) -> str:
        """Returns the value of an attribute, without blanks around it; empty without one."""
        value = self.attributes.get(name)
        return value.strip() if value else ""


Node: TypeAlias = Element | str


def part_of(element: Element) -> str:
    """Returns the part of a page that an element is, by its role or else by its name."""
    role = element.attributes.get("role")
    return _ROLES.get(role.strip().lower(), element.tag) if role else element.tag


def parse_tree(text: str, *, name: str) -> Element:
    """Returns the root of the tree of a page.

    Args:
        text: The page.
        name: The name of the file in error messages.

    Raises:
        MissingExtraError: ``lxml`` is not installed.
    """
    try:
        from lxml import etree  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    text = clean(text)
    is_stored = ("<ac:" in text or "<ri:" in text) and _STORAGE.search(text) is not None
    if is_stored or text.lstrip().startswith("<?xml"):
        text = _without_cdata(text)
    if is_stored or _XHTML.search(text[:_START]):
        text = _SELF_CLOSED.sub(_with_end_tag, text)
    if is_stored:
        text = _STORED_CODE.sub(r"<\1pre>", text)
    lowered = text.lower()
    if "noframes" in lowered or "noembed" in lowered:
        text = _RAW.sub(r"<\1no-content", text)
    root, frames = _built(text, etree)
    for frame, page in frames:
        # Pages in the pages of frames are left out, so that no page can nest without end.
        inner, _ = _built(page, etree)
        frame.children = inner.children
    return root


def _built(text: str, etree: Any) -> tuple[Element, list[tuple[Element, str]]]:
    """Returns the root of a tree, and the frames in it with the pages that they show."""
    builder = _Builder()
    parser = etree.HTMLParser(target=builder, encoding="utf-8", huge_tree=True)
    try:
        parser.feed(text.encode("utf-8"))
        parser.close()
    except etree.LxmlError:  # nothing in the page but comments
        pass
    return builder.root, builder.frames


def _without_cdata(text: str) -> str:
    """Writes the texts that XML marks as free of tags as HTML does, where the mark is a comment."""
    before, *sections = text.split(_CDATA)
    parts = [before]
    for section in sections:
        content, end, after = section.partition(_CDATA_END)
        parts += [html.escape(content, quote=False), after] if end else [_CDATA, section]
    return "".join(parts)


def _with_end_tag(found: re.Match[str]) -> str:
    tag = found[1]
    return found[0] if tag.lower() in _VOID else f"<{tag}{found[2]}></{tag}>"


class _Builder:
    """A target of ``lxml``'s parser."""

    def __init__(self) -> None:
        self.root = Element("")
        self._open = [self.root]
        self._links = 0
        self.frames: list[tuple[Element, str]] = []

    # The methods that lxml calls on a parser target, in the order of the page.

    def start(self, tag: str, attributes: Any) -> None:
        """Opens an element; one that is nested too deep gives its content to the one around it."""
        parent = self._open[-1]
        if tag == "div" and _INLINE_STYLE.search(attributes.get("style") or ""):
            tag = "span"
        element = Element(tag, attributes)
        mark = _MARKS.get(tag, 0)
        if "role" in attributes:
            mark |= _MARKS.get(part_of(element), 0)
        if mark & ~parent.contains:
            self._mark(mark)
        self._links += tag == "a"
        if len(self._open) > _MAX_DEPTH and tag not in UNSEEN:
            if tag in BLOCKS or tag == "br":
                parent.children.append(Element("br"))
            self._open.append(parent)
            return
        parent.children.append(element)
        self._open.append(element)
        if tag == "iframe" and (page := element.get("srcdoc")):
            frame = Element("div", {**element.attributes, "srcdoc": ""})
            parent.children.append(frame)
            self.frames.append((frame, page))
            self._mark(Contains.BLOCK)

    def end(self, tag: str) -> None:
        """Closes the innermost element."""
        if len(self._open) > 1:
            element, parent = self._open.pop(), self._open[-1]
            self._links -= tag == "a"
            if element is not parent and element.letters:
                parent.letters += element.letters
                parent.linked += element.linked

    def data(self, text: str) -> None:
        """Adds text to the innermost element."""
        element = self._open[-1]
        element.children.append(text)
        if length := len(text.strip()):
            element.letters += length
            if self._links:
                element.linked += length

    def comment(self, text: str) -> None:
        """Ignores a comment."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Ignores a processing instruction."""

    def close(self) -> None:
        """Ends the page, whose tree is ``root``."""

    def _mark(self, mark: int) -> None:
        for element in reversed(self._open):
            if element.contains & mark == mark:
                break
            element.contains |= mark
