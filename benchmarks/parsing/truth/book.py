"""Reads EPUB: the pages of its spine, in their order."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

from benchmarks.parsing.truth.html import html_text, parsed_html
from benchmarks.parsing.truth.model import DamagedFileError, Truth
from benchmarks.parsing.truth.office.xml import Archive

__all__ = ["read_book"]


def read_book(data: bytes) -> Truth:
    """Returns the truth about a book.

    Raises:
        DamagedFileError: It is damaged or protected.
    """
    archive = Archive(data)
    if "META-INF/rights.xml" in archive:
        raise DamagedFileError("protected by its seller")
    container = archive.xml("META-INF/container.xml")
    package = next((one.get("full-path", "") for one in container.iter("{*}rootfile")), "")
    root = archive.xml(package)
    folder = posixpath.dirname(package)
    items = {one.get("id"): one for one in root.iter("{*}item")}
    truth = Truth(uncounted=frozenset({"table of contents"}))
    for reference in root.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or "html" not in item.get("media-type", ""):
            continue
        name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
        if name not in archive:
            continue
        page = parsed_html(archive.read(name))
        body = page.find("body")
        is_contents = "nav" in (item.get("properties") or "").split()
        text = html_text(page if body is None else body)
        truth.add("table of contents" if is_contents else "pages", text)
        if is_contents:
            continue
        truth.flow.append(text)
        for heading in page.iter("h1", "h2", "h3", "h4", "h5", "h6"):
            truth.headings.append(html_text(heading))
    return truth
