"""Reads books (EPUB): their chapters in reading order, each as a web page."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Protocol
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.decoding import decode
from managed_sync.documents.parsing.markdown_writer import join_blocks
from managed_sync.documents.parsing.parsers.office.package import Package, reading
from managed_sync.errors import ParsingError

__all__ = ["parse_epub"]

_PAGES = {"application/xhtml+xml", "text/html", "application/html", "text/x-oeb1-document"}
_MAX_FALLBACKS = 20
# XHTML closes empty elements in their tag; for HTML, "<title/>" begins a title without an end.
_EMPTY = re.compile(r"<([a-zA-Z][\w:-]*)(\s[^<>]*)?/>")
_VOID = {
    *("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param"),
    *("source", "track", "wbr"),
}
# Only fonts may be obfuscated in a book that everybody can read.
_FONT_ALGORITHMS = (b"idpf.org/2008/embedding", b"ns.adobe.com/pdf/enc#RC")
_ALGORITHM = re.compile(rb'EncryptionMethod[^>]*Algorithm="([^"]*)"')


class _ReadHtml(Protocol):
    def __call__(self, text: str, *, name: str) -> str: ...


def parse_epub(data: bytes, *, name: str, read_html: _ReadHtml) -> str:
    """Reads a book without its table of contents, which repeats its headings.

    Args:
        data: The bytes of the file.
        name: The name of the file in error messages.
        read_html: Reads a chapter.

    Raises:
        ParsingError: The file is damaged or protected.
    """
    with reading(name):
        package = Package(data, name=name)
        _refuse_protected(package, name)
        chapters = [*_chapters(package, name)]
    texts = []
    for chapter in chapters:
        text = decode(package.read(chapter), name=name)
        texts.append(read_html(_EMPTY.sub(_closed, text), name=name).strip())
    return join_blocks(texts)


def _refuse_protected(package: Package, name: str) -> None:
    methods = _ALGORITHM.findall(package.read("META-INF/encryption.xml"))
    if any(not method.endswith(_FONT_ALGORITHMS) for method in methods):
        raise ParsingError(f"{name} is protected by its seller and cannot be read.")


def _chapters(package: Package, name: str) -> Iterator[str]:
    """Yields the names of the parts with text, in reading order."""
    root = package.xml(_book(package))
    if root is None:
        raise ParsingError(f"{name} is damaged: it has no list of its chapters.")
    folder = posixpath.dirname(_book(package))
    items: dict[str, Element] = {}
    for item in root.iter():
        if _local(item) == "item":
            items[item.get("id", "")] = item
    references = [each.get("idref", "") for each in root.iter() if _local(each) == "itemref"]
    for reference in dict.fromkeys(references):
        if reference not in items or "nav" in items[reference].get("properties", "").split():
            continue
        item = _page(items, reference)
        part = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        is_page = item.get("media-type", "").lower() in _PAGES or part.endswith("html")
        if is_page and part in package:
            yield part


def _page(items: Mapping[str, Element], reference: str) -> Element:
    """Returns an item, or the page that stands for it where a reader cannot show it."""
    item = items[reference]
    for _ in range(_MAX_FALLBACKS):
        following = items.get(item.get("fallback", ""))
        if item.get("media-type", "").lower() in _PAGES or following is None:
            break
        item = following
    return item


def _book(package: Package) -> str:
    container = package.xml("META-INF/container.xml")
    if container is not None:
        for each in container.iter():
            if _local(each) == "rootfile" and each.get("full-path", "") in package:
                return each.get("full-path", "")
    return next((part for part in package.names if part.lower().endswith(".opf")), "")


def _local(element: Element) -> str:
    return element.tag.rpartition(":")[2] if isinstance(element.tag, str) else ""


def _closed(tag: re.Match[str]) -> str:
    name = tag[1]
    return tag[0] if name.lower() in _VOID else f"<{name}{tag[2] or ''}></{name}>"
