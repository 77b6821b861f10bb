"""Reads web pages with ``lxml``: their main part, what is around it, and their tables."""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection, Iterator
from typing import Any

from lxml import etree, html

from benchmarks.parsing.truth.model import Cell, DamagedFileError, Row, Truth, words
from benchmarks.parsing.truth.office.xml import local

__all__ = ["html_text", "parsed_html", "read_html"]

_NO_TEXT = {
    "script", "style", "template", "noscript", "head", "svg", "iframe", "object", "canvas",
    "audio", "video", "datalist", "rp", "rt", "math",
}  # fmt: skip
_INLINE = {
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike",
    "strong", "sub", "sup", "time", "tt", "u", "var", "wbr", "nobr", "ruby",
}  # fmt: skip
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_ASIDE = "data-aside-next-to-articles"
_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([a-z0-9_:.-]+)", re.IGNORECASE)
_MOST_COLUMNS = 200
_BORDER = "|"
# The elements that show an attribute, and the sets of elements that may be read in a cell.
_SHOWN_BY = {"img": "alt", "input": "value"}
_WAYS: tuple[set[str], ...] = ({"img"}, {"img", "rt"}, {"img", "input"})


def read_html(data: bytes) -> Truth:
    """Returns the truth about a web page.

    Raises:
        DamagedFileError: It is none.
    """
    root = parsed_html(data)
    truth = Truth(
        uncounted=frozenset(
            {"navigation", "hidden text", "around the main part", "alternative texts", "asides"}
        )
    )
    body = root.find("body") if root.tag == "html" else root
    if body is None:
        raise DamagedFileError("no body in it")
    main = next((one for one in _marked(root, "main", "main") if words(html_text(one))), None)
    if main is not None:
        truth.add("around the main part", _text_around(body, main))
    else:
        _mark_asides(root)
    for part, text in _parts(body if main is None else main, "text"):
        truth.add(part, text)
        if part == "text":
            truth.flow.append(text)
    top = body if main is None else main
    for element in top.iter("h1", "h2", "h3", "h4", "h5", "h6"):
        if not _outside_text(element) and next(element.iterancestors("table"), None) is None:
            truth.headings.append(html_text(element))
    for table in top.iter("table"):
        if not _outside_text(table) and next(table.iterancestors("table"), None) is None:
            truth.rows += _rows(table)
    for picture in top.iter("img"):
        if not _outside_text(picture):
            truth.add("alternative texts", picture.get("alt") or "")
    return truth


def parsed_html(data: bytes) -> Any:
    """Returns the tree of a web page, decoded as its byte order mark or itself says.

    Raises:
        DamagedFileError: There is nothing in it.
    """
    text = _decoded(data)
    try:
        return html.document_fromstring(text.replace("\0", "") or " ")
    except (etree.ParserError, ValueError) as error:
        raise DamagedFileError(str(error)) from error


def html_text(element: Any, *, read: Collection[str] = ()) -> str:
    """Returns the text that a browser shows of an element.

    Args:
        element: The element.
        read: The names of elements that are read too: ``img`` for the texts in place of pictures,
            ``input`` for what is filled in, ``rt`` for the readings of Chinese characters.
    """
    return " ".join(text for _, text in _parts(element, "", read))


def _decoded(data: bytes) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    declared = _CHARSET.search(data[:4096])
    names = [declared[1].decode()] if declared else []
    for name in (*names, "utf-8"):
        # Browsers read Latin-1 as Windows-1252.
        known = {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252"}
        try:
            return _without_declaration(data.decode(known.get(name.lower(), name)))
        except (LookupError, UnicodeDecodeError):
            continue
    if not declared:
        raise DamagedFileError("only a guess could tell its encoding")
    return _without_declaration(data.decode("cp1252", "replace"))


def _without_declaration(text: str) -> str:
    """A declaration of an encoding is refused in a text."""
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", text)


def _is_hidden(element: Any) -> bool:
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))


def _outside_text(element: Any) -> bool:
    around = (element, *element.iterancestors())
    return any(local(one) in _NO_TEXT or _own_part(one) for one in around)


def _is_nav(element: Any) -> bool:
    return local(element) == "nav" or element.get("role") == "navigation"


def _marked(root: Any, name: str, role: str) -> list[Any]:
    """The visible elements that are such a part of the page, by their role or else their name."""
    return [
        one
        for one in root.iter("*")
        if (one.get("role") or local(one)).strip().lower() in {name, role} and not _is_hidden(one)
    ]


def _mark_asides(root: Any) -> None:
    """Marks the asides of a page with articles that are neither in an article nor around one."""
    articles = set(_marked(root, "article", "article"))
    for aside in _marked(root, "aside", "complementary") if articles else ():
        if articles.isdisjoint(aside.iter()) and articles.isdisjoint(aside.iterancestors()):
            aside.set(_ASIDE, "")


def _own_part(element: Any) -> str:
    """The part that begins with an element, if it does not belong to the text around it."""
    if _is_nav(element):
        return "navigation"
    if _is_hidden(element):
        return "hidden text"
    return "asides" if element.get(_ASIDE) is not None else ""


def _parts(element: Any, part: str, read: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """The texts between the borders of blocks, each with its part."""
    text: list[str] = []
    owner = part
    for kind, piece in _pieces(element, part, read):
        if text and (kind == _BORDER or kind != owner):
            yield owner, "".join(text)
            text = []
        if kind != _BORDER:
            owner = kind
            text.append(piece)
    if text:
        yield owner, "".join(text)


def _pieces(element: Any, part: str, read: Collection[str]) -> Iterator[tuple[str, str]]:
    stack: list[tuple[Any, str, bool]] = [(element, part, False)]
    while stack:
        one, owner, is_end = stack.pop()
        if is_end:
            if local(one) not in _INLINE and "-" not in local(one):
                yield _BORDER, ""
            if one is not element and one.tail:
                yield owner, one.tail
            continue
        name = local(one)
        outer = owner
        if name in read and name in _SHOWN_BY:
            yield owner, f" {one.get(_SHOWN_BY[name]) or ''} "
        if name not in read and (name in _NO_TEXT or not name):
            if one is not element and one.tail:
                yield owner, one.tail
            continue
        if owner != "hidden text":
            owner = _own_part(one) or owner
        if name not in _INLINE and "-" not in name:
            yield _BORDER, ""
        if one.text:
            yield owner, one.text
        stack.append((one, outer, True))
        stack.extend((child, owner, False) for child in reversed(one))


def _text_around(body: Any, main: Any) -> str:
    inside = set(main.iter())
    texts = []
    for one in body.iter():
        if one is body or (one not in inside and not _outside_text(one)):
            texts.append(one.text or "")
        if one is main or one not in inside:
            texts.append((one.tail or "") if one is not body else "")
    return " ".join(texts)


def _rows(table: Any) -> list[Row]:
    if table.find(".//table") is not None:
        return []
    rows: list[Row] = []
    covered: dict[int, tuple[int, str]] = {}
    for line in table.iter("tr"):
        if _is_hidden(line) or _is_hidden(line.getparent()):
            continue
        row: list[Cell] = []
        below: dict[int, tuple[int, str]] = {}
        for cell in line.iterchildren("td", "th"):
            _fill(row, covered, below)
            text = html_text(cell)
            ways = (text, *(html_text(cell, read=read) for read in _WAYS))
            width, height = _number(cell.get("colspan")), _number(cell.get("rowspan"))
            for index in range(width):
                if height > 1:
                    below[len(row)] = (height - 1, text)
                row.append((text, "") if index else ways)
        _fill(row, covered, below)
        covered = below
        rows.append(tuple(row))
    if max(map(len, rows), default=0) < 2:
        # Nothing can be in a wrong column.
        return []
    return [row for row in rows if any(words(text) for cell in row for text in cell)]


def _fill(
    row: list[Cell], covered: dict[int, tuple[int, str]], below: dict[int, tuple[int, str]]
) -> None:
    while len(row) in covered:
        left, text = covered.pop(len(row))
        if left > 1:
            below[len(row)] = (left - 1, text)
        row.append(("", text))


def _number(text: str | None) -> int:
    digits = (text or "").strip()
    return min(int(digits), _MOST_COLUMNS) or 1 if digits.isdecimal() else 1
