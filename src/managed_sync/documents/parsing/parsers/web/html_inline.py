"""Writes the text within a line of a web page: links, pictures, code, formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urljoin

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.parsers.web.html_tree import BLOCKS, UNSEEN, Element, Node

__all__ = ["InlineWriter", "is_hidden"]

# Cleaned text has no control characters, so this one can mark a line break.
_BREAK = "\x01"
_BLANKS = re.compile(r"[ \t\n\f\r\u00a0]+")
_AROUND_BREAK = re.compile(rf" *{_BREAK} *")
_HIDDEN_STYLE = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.I)
_NEVER_SHOWN = UNSEEN & {
    *("base", "link", "meta", "param", "script", "source"),
    *("style", "template", "title", "track"),
}
# The settings of a macro in Confluence; only its title is shown.
_PARAMETER = "ac:parameter"
_BLOCK_STYLE = re.compile(
    r"(?:^|;)\s*display\s*:\s*(?:block|flex|grid|list-item|table(?!-cell))", re.I
)
_KEEPS_LINES = re.compile(r"(?:^|;)\s*white-space\s*:\s*(?:pre|break-spaces)", re.I)
_WRITTEN_OTHERWISE = frozenset({"br", "img", "input", "a", "code", "q", "rt", "svg", "math"})
_SEPARATE = frozenset({"button", "label", "option", "optgroup", "output", "select"})
_INPUTS_WITHOUT_TEXT = frozenset(
    ["checkbox", "color", "date", "file", "hidden", "image", "password", "radio", "range"]
)


def is_hidden(element: Element, *, shows_all: bool = False) -> bool:
    """Tells whether a browser does not show an element.

    Args:
        element: The element.
        shows_all: Hides only elements without text for readers, such as scripts.
    """
    if shows_all:
        return element.tag in _NEVER_SHOWN
    attributes = element.attributes
    if element.tag in UNSEEN or (element.tag == "dialog" and "open" not in attributes):
        return True
    if not attributes:
        return False
    is_setting = element.tag == _PARAMETER and element.get("ac:name") != "title"
    if is_setting or ("hidden" in attributes and element.get("hidden") != "until-found"):
        return True
    style = attributes.get("style")
    if style and _HIDDEN_STYLE.search(style):
        return True
    # The same formula is there a second time, for readers that do not see.
    return "katex-html" in attributes.get("class", "").split()


class InlineWriter:
    """Writes texts and inline elements.

    Args:
        base: The address that links without one start from.
        shows_all: Writes the texts of hidden elements too.
    """

    def __init__(self, base: str, *, shows_all: bool = False) -> None:
        self._base = base
        self._shows_all = shows_all

    def text(self, nodes: Iterable[Node]) -> str:
        """Returns a paragraph, with its line breaks."""
        return self._text(nodes, has_links=True).replace(_BREAK, "\n").strip("\n")

    def cell(self, element: Element) -> str:
        """Returns the text of a table cell, on one line."""
        return self._text(element.children, has_links=True).replace(_BREAK, " ").strip()

    def title(self, element: Element) -> str:
        """Returns the text of a heading, on one line and without the targets of links."""
        return self._text(element.children, has_links=False).replace(_BREAK, " ").strip()

    def raw(self, element: Element) -> str:
        """Returns the text of code, with its blanks and lines."""
        out: list[str] = []
        self._raw(element, out)
        text = "".join(out).replace("\u00a0", " ")
        return text.removeprefix("\n")

    def _raw(self, element: Element, out: list[str]) -> None:
        for child in element.children:
            if isinstance(child, str):
                out.append(child)
            elif child.tag == "br":
                out.append("\n")
            elif not is_hidden(child, shows_all=self._shows_all):
                is_line = child.tag in BLOCKS
                if is_line and out and not out[-1].endswith("\n"):
                    out.append("\n")
                self._raw(child, out)
                if is_line and out and not out[-1].endswith("\n"):
                    out.append("\n")

    def _text(self, nodes: Iterable[Node], *, has_links: bool) -> str:
        out: list[str] = []
        self._write(nodes, out, has_links)
        return _collapsed("".join(out))

    def _write(self, nodes: Iterable[Node], out: list[str], has_links: bool) -> None:
        for node in nodes:
            if isinstance(node, str):
                out.append(node)
            elif not is_hidden(node, shows_all=self._shows_all):
                self._write_element(node, out, has_links)
            elif node.tag == "script" and node.get("type").startswith("math/tex"):
                out.append(f"${_string(node).strip()}$")

    def _write_element(self, element: Element, out: list[str], has_links: bool) -> None:
        if element.tag not in _WRITTEN_OTHERWISE:
            self._rest(element, out, has_links)
            return
        match element.tag:
            case "br":
                out.append(_BREAK)
            case "img":
                out.append(f" {element.get('alt')} ")
            case "input":
                if element.get("type").lower() not in _INPUTS_WITHOUT_TEXT:
                    out.append(f" {element.get('value')} ")
            case "a" if has_links:
                self._link(element, out)
            case "code":
                self._code(element, out, has_links)
            case "q":
                self._between('"', element, '"', out, has_links)
            case "rt":
                self._between("(", element, ")", out, has_links)
            case "svg":
                out.append(f" {' '.join(_labels(element))} ")
            case "math":
                out.append(f" {_formula(element)} ")
            case _:
                self._rest(element, out, has_links)

    def _rest(self, element: Element, out: list[str], has_links: bool) -> None:
        tag, style = element.tag, element.attributes.get("style", "")
        if tag in BLOCKS or _BLOCK_STYLE.search(style):
            around = _BREAK
        elif tag in _SEPARATE or "-" in tag:
            around = " "
        else:
            around = ""
        if _KEEPS_LINES.search(style):
            lines: list[str] = []
            self._write(element.children, lines, has_links)
            out.append(f"{around}{''.join(lines).strip(chr(10)).replace(chr(10), _BREAK)}{around}")
            return
        self._between(around, element, around, out, has_links)

    def _between(
        self, before: str, element: Element, after: str, out: list[str], has_links: bool
    ) -> None:
        out.append(before)
        self._write(element.children, out, has_links)
        out.append(after)

    def _link(self, element: Element, out: list[str]) -> None:
        inner: list[str] = []
        # HTML has no links inside of links.
        self._write(element.children, inner, has_links=False)
        text = "".join(inner)
        target = element.get("href")
        if self._base and target and not target.startswith("#"):
            try:
                target = urljoin(self._base, target)
            except ValueError:
                target = ""
        shown = _collapsed(text).replace(_BREAK, " ").strip()
        written = markdown.link(shown, target)
        if written == " ".join(shown.split()):
            out.append(text)
            return
        before = " " if text[:1].isspace() else ""
        after = " " if text[-1:].isspace() else ""
        out.append(f"{before}{written}{after}")

    def _code(self, element: Element, out: list[str], has_links: bool) -> None:
        inner: list[str] = []
        self._write(element.children, inner, has_links=False)
        text = "".join(inner)
        shown = text.strip()
        if not shown or "`" in text or _BREAK in text:
            self._write(element.children, out, has_links)
            return
        before = " " if text[:1].isspace() else ""
        after = " " if text[-1:].isspace() else ""
        out.append(f"{before}`{shown}`{after}")


def _collapsed(text: str) -> str:
    if text.isprintable() and "  " not in text:
        # Nothing in it but letters and single blanks, as in most paragraphs and cells.
        return text.strip(" ")
    text = _BLANKS.sub(" ", text.replace("\u00ad", ""))
    return _AROUND_BREAK.sub(_BREAK, text).strip(" ")


def _string(element: Element) -> str:
    return "".join(
        child if isinstance(child, str) else _string(child) for child in element.children
    )


def _labels(element: Element) -> list[str]:
    """Returns the texts of a drawing."""
    labels: list[str] = []
    for child in element.children:
        if isinstance(child, str):
            continue
        if child.tag in {"text", "foreignobject"}:
            labels.append(_string(child).strip())
        elif not is_hidden(child):
            labels += _labels(child)
    return labels


def _formula(element: Element) -> str:
    """Returns the TeX of a formula if it has any, or else its symbols in a line."""
    tex = _tex(element)
    return f"${tex}$" if tex else "".join(_symbols(element).split("\n"))


def _tex(element: Element) -> str:
    for child in element.children:
        if isinstance(child, Element):
            if child.tag == "annotation" and "tex" in child.get("encoding").lower():
                return _string(child).strip()
            if tex := _tex(child):
                return tex
    return ""


def _symbols(element: Element) -> str:
    """Returns the symbols of a formula; powers, indices and fractions have their usual signs."""
    if element.tag in {"annotation", "annotation-xml"}:
        return ""
    parts = [
        child.strip() if isinstance(child, str) else _symbols(child) for child in element.children
    ]
    parts = [part for part in parts if part]
    signs = {"mfrac": "/", "msup": "^", "msub": "_", "mover": "", "munder": ""}
    if element.tag in signs and len(parts) == 2:
        first, second = (part if len(part) < 2 or part.isalnum() else f"({part})" for part in parts)
        return f"{first}{signs[element.tag]}{second}"
    if element.tag == "msqrt":
        return f"√({''.join(parts)})"
    return "".join(parts)
