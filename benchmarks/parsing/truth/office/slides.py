"""Reads PowerPoint files from their XML, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.parsing.truth.model import Cell, DamagedFileError, Row, Truth
from benchmarks.parsing.truth.office.drawings import add_drawings, alternative_text, drawing_text
from benchmarks.parsing.truth.office.xml import Archive, local, relations

__all__ = ["read_slides"]

_PRESENTATION = "officeDocument"
# Placeholders that repeat on each slide what the template says.
_REPEATED = {"sldNum", "dt", "ftr", "hdr", "sldImg"}
_TITLES = {"title", "ctrTitle"}


def read_slides(data: bytes) -> Truth:
    """Returns the truth about a PowerPoint file.

    Raises:
        DamagedFileError: It is damaged or protected.
    """
    archive = Archive(data)
    main = next((one.name for one in relations(archive, "") if one.kind == _PRESENTATION), "")
    if main not in archive:
        raise DamagedFileError("no presentation in it")
    truth = Truth(uncounted=frozenset({"alternative texts", "footers"}))
    for name in _slides(archive, main):
        _add_slide(truth, archive, name)
    return truth


def _slides(archive: Archive, main: str) -> Iterator[str]:
    """The slides in their order."""
    names = {one.id: one.name for one in relations(archive, main)}
    for slide in archive.xml(main).iter("{*}sldId"):
        identifier = next((v for k, v in slide.attrib.items() if k.endswith("}id")), "")
        if (name := names.get(identifier, "")) in archive:
            yield name


def _add_slide(truth: Truth, archive: Archive, name: str) -> None:
    for shape in _shapes(archive.xml(name)):
        _add_shape(truth, shape)
    for one in relations(archive, name):
        other = one.name
        if other not in archive:
            continue
        if one.kind == "notesSlide":
            for shape in _shapes(archive.xml(other)):
                for paragraph in _paragraphs(shape):
                    truth.add("notes", drawing_text(paragraph))
        elif one.kind == "comments":
            root = archive.xml(other)
            for element in root.iter("{*}text", "{*}t"):
                if "presentationml" in element.tag or "drawingml" in element.tag:
                    truth.add("comments", element.text or "")
        else:
            add_drawings(truth, archive, one.kind, other)


def _shapes(root: Any) -> Iterator[Any]:
    for shape in root.iter("{*}sp", "{*}graphicFrame", "{*}pic", "{*}cxnSp"):
        is_old = any(local(around) == "Fallback" for around in shape.iterancestors())
        if not is_old and _placeholder(shape) not in _REPEATED:
            yield shape


def _placeholder(shape: Any) -> str:
    found = next(shape.iter("{*}ph"), None)
    return "" if found is None else str(found.get("type", "body"))


def _paragraphs(shape: Any) -> Iterator[Any]:
    for paragraph in shape.iter("{*}p"):
        if "drawingml" in paragraph.tag:
            yield paragraph


def _add_shape(truth: Truth, shape: Any) -> None:
    is_grouped = any(local(around) == "grpSp" for around in shape.iterancestors())
    texts = [drawing_text(paragraph) for paragraph in _paragraphs(shape)]
    table = next(shape.iter("{*}tbl"), None)
    part = "shapes" if table is None else "tables"
    if is_grouped:
        part = "groups" if table is None else "tables in groups"
    for text in texts:
        truth.add(part, text)
        truth.flow.append(text)
    if table is not None:
        truth.rows += _rows(table)
    if _placeholder(shape) in _TITLES:
        truth.headings.append(" ".join(texts))
    for properties in shape.iter("{*}cNvPr"):
        truth.add("alternative texts", alternative_text(properties))


def _rows(table: Any) -> list[Row]:
    rows: list[Row] = []
    origins: dict[int, str] = {}
    for line in table.iter("{*}tr"):
        row: list[Cell] = []
        left = ""
        for column, cell in enumerate(line.iter("{*}tc")):
            text = " ".join(drawing_text(one) for one in cell.iter("{*}p"))
            if cell.get("vMerge") in {"1", "true"}:
                row.append(("", origins.get(column, ""), text))
            elif cell.get("hMerge") in {"1", "true"}:
                row.append(("", left, text))
            else:
                left = origins[column] = text
                row.append((text,))
        rows.append(tuple(row))
    if len(rows) == 1 and len(rows[0]) == 1:
        return []
    return [row for row in rows if any(text.strip() for cell in row for text in cell)]
