"""Reads what the drawings of Office files hold: charts and SmartArt."""

from __future__ import annotations

import re
from typing import Any

from benchmarks.parsing.truth.model import DamagedFileError, Truth
from benchmarks.parsing.truth.office.cell_texts import ways_to_write
from benchmarks.parsing.truth.office.xml import Archive, local

__all__ = ["add_drawings", "alternative_text", "drawing_text"]

_FILE_NAME = re.compile(r"\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg)$|^[a-z]:\\", re.IGNORECASE)
# Numbers of slides, and dates.
_FIELDS = ("slidenum", "datetime")
_CATEGORIES = {"cat", "xVal"}
_KINDS = {"chart": "charts", "chartEx": "charts", "diagramData": "SmartArt"}


def add_drawings(
    truth: Truth, archive: Archive, kind: str, name: str, *, with_cells: bool = True
) -> None:
    """Adds the text of a chart or of SmartArt, if the member is one.

    Args:
        truth: The truth that it is added to.
        archive: The file.
        kind: The kind of the relation to the member.
        name: The member.
        with_cells: The values of a chart that it has from cells count, too.
    """
    part = _KINDS.get(kind)
    if not part or name not in archive:
        return
    try:
        root = archive.xml(name)
    except DamagedFileError:
        return
    if part == "charts":
        for paragraph in root.iter("{*}p"):
            truth.add(part, drawing_text(paragraph))
        seen = set()
        for points in root.iter("{*}numCache", "{*}numLit", "{*}strCache", "{*}strLit"):
            if not with_cells and _is_from_cells(points):
                continue
            # Each series repeats the categories.
            content = tuple(value.text for value in points.iter("{*}v"))
            is_category = any(local(around) in _CATEGORIES for around in points.iterancestors())
            if is_category and content in seen:
                continue
            if is_category:
                seen.add(content)
            code = points.findtext("{*}formatCode") or "General"
            for value in points.iter("{*}v"):
                is_number = local(points).startswith("num")
                text = value.text or ""
                truth.add(part, ways_to_write(text, code)[1] if is_number else text)
    else:
        for paragraph in root.iter("{*}p"):
            truth.add(part, drawing_text(paragraph))


def _is_from_cells(points: Any) -> bool:
    """Tells whether values are those of cells of the same file."""
    reference = points.getparent().findtext("{*}f") or ""
    return bool(reference) and "[" not in reference


def alternative_text(properties: Any) -> str:
    """Returns the alternative text of a picture, unless it is only the name of a file."""
    text = str(properties.get("descr") or "")
    return "" if _FILE_NAME.search(text) else text


def drawing_text(paragraph: Any) -> str:
    """Returns the text of a paragraph of DrawingML."""
    texts = []
    for element in paragraph.iter("{*}t", "{*}br", "{*}tab"):
        around = element.getparent()
        if local(around) == "fld" and around.get("type", "").startswith(_FIELDS):
            continue
        texts.append(element.text or "" if local(element) == "t" else " ")
    return "".join(texts)
