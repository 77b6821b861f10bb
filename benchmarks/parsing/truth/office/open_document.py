"""Reads OpenDocument texts, sheets and slides from their XML, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.parsing.truth.model import Cell, DamagedFileError, Items, Row, Text, Truth
from benchmarks.parsing.truth.office.cell_texts import number_ways
from benchmarks.parsing.truth.office.workbook import grid_rows
from benchmarks.parsing.truth.office.xml import Archive, local

__all__ = ["read_open_document"]

# The first of these around a paragraph names its part.
_AROUND = {
    "note-body": "notes",
    "annotation": "comments",
    "text-box": "frames",
    "table-cell": "tables",
    "list-item": "lists",
    "list-header": "lists",
    "notes": "speaker notes",
    "shapes": "shapes",
}
_DELETED = {"tracked-changes", "deletion", "ruby-text", "note-citation", "text-box", "annotation"}
# Paragraphs in a paragraph are those of the shapes in it.
_INNER = {"note", "p", "h", *_DELETED}
_SPACES = {"s", "tab", "line-break"}
_MOST = 100


def read_open_document(data: bytes) -> Truth:
    """Returns the truth about an OpenDocument file.

    Raises:
        DamagedFileError: It is damaged or protected.
    """
    archive = Archive(data)
    if "META-INF/manifest.xml" in archive:
        manifest = archive.xml("META-INF/manifest.xml")
        if next(manifest.iter("{*}encryption-data"), None) is not None:
            raise DamagedFileError("protected with a password")
    root = archive.xml("content.xml")
    body = root.find("{*}body")
    if body is None or not len(body):
        raise DamagedFileError("no body in it")
    truth = Truth(uncounted=frozenset({"headers and footers", "hidden text"}))
    if local(body[0]) == "spreadsheet":
        _add_sheets(truth, body[0])
    else:
        for block in body.iter("{*}p", "{*}h"):
            _add_block(truth, block)
        for table in body.iter("{*}table"):
            truth.rows += _table_rows(table)
    if "styles.xml" in archive and local(body[0]) == "text":
        seen = set()
        for around in archive.xml("styles.xml").iter("{*}header", "{*}footer"):
            for block in around.iter("{*}p", "{*}h"):
                if (text := _text(block)) not in seen:
                    seen.add(text)
                    truth.add("headers and footers", text)
    return truth


def _add_block(truth: Truth, block: Any) -> None:
    names = [local(around) for around in block.iterancestors()]
    if "tracked-changes" in names or "object-ole" in names:
        return
    part = next((_AROUND[name] for name in names if name in _AROUND), "text")
    text = _text(block)
    if _is_hidden(block):
        truth.add("hidden text", text)
        return
    truth.add(part, text)
    truth.flow.append(text)
    if local(block) == "h" and part == "text":
        truth.headings.append(text)
    if part == "frames" and "page" in names:
        frame = next(one for one in block.iterancestors() if local(one) == "text-box")
        classes = [v for k, v in frame.getparent().attrib.items() if k.endswith("}class")]
        if classes == ["title"]:
            truth.headings.append(text)


def _is_hidden(element: Any) -> bool:
    """Tells whether a section around an element is not displayed."""
    return any(
        local(around) == "section" and _attribute(around, "display") == "none"
        for around in element.iterancestors()
    )


def _text(block: Any) -> str:
    """The text of a paragraph, without the notes and frames in it."""
    return "".join(_pieces(block))


def _pieces(element: Any) -> Iterator[str]:
    yield element.text or "" if local(element) else ""
    for child in element:
        name = local(child)
        if name in _SPACES:
            yield " "
        elif name and name not in _INNER and not (name == "page-number" and _is_of_slide(child)):
            yield from _pieces(child)
        yield child.tail or ""


def _is_of_slide(element: Any) -> bool:
    """Tells whether an element is on a slide or its notes, where numbers of pages change."""
    return any(local(around) == "page" for around in element.iterancestors())


def _table_rows(table: Any) -> list[Row]:
    if next(table.iter("{*}table-cell"), None) is None or table.find(".//{*}table") is not None:
        return []
    if any(local(around) == "table" for around in table.iterancestors()) or _is_hidden(table):
        return []
    rows: list[Row] = []
    spans: dict[int, str] = {}
    for line in table.iter("{*}table-row"):
        row: list[Cell] = []
        left = ""
        for cell in line.iterchildren("{*}table-cell", "{*}covered-table-cell"):
            text = Items("\n".join(_text(one) for one in cell.iter("{*}p", "{*}h")))
            repeated = min(_number(cell, "number-columns-repeated"), _MOST)
            for _ in range(repeated):
                if local(cell) == "covered-table-cell":
                    row.append(tuple(dict.fromkeys(("", left, spans.get(len(row), ""), text))))
                else:
                    left = spans[len(row)] = text
                    row.append((text,))
        rows.append(tuple(row))
    if len(rows) == 1 and len(rows[0]) == 1:
        return []
    # A row may be left out if nothing but merged cells has to be in it.
    return [row for row in rows if any(all(text.strip() for text in cell) for cell in row)]


def _attribute(element: Any, name: str) -> str:
    return str(next((v for k, v in element.attrib.items() if k.endswith("}" + name)), ""))


def _number(element: Any, name: str) -> int:
    text = _attribute(element, name)
    return int(text) if text.isdecimal() else 1


def _add_sheets(truth: Truth, body: Any) -> None:
    for table in body.iterchildren("{*}table"):
        cells: dict[int, dict[int, Cell]] = {}
        for number, line in enumerate(table.iter("{*}table-row")):
            row: dict[int, Cell] = {}
            column = 0
            for cell in line.iterchildren("{*}table-cell", "{*}covered-table-cell"):
                repeated = _number(cell, "number-columns-repeated")
                part, ways = _cell(cell)
                for _ in range(min(repeated, _MOST) if ways else 0):
                    truth.add(part, ways)
                    row[column] = (ways,) if isinstance(ways, str) else ways
                    truth.flow.append(row[column][0])
                    column += 1
                column += 0 if ways else repeated
                for note in cell.iter("{*}annotation"):
                    for block in note.iter("{*}p"):
                        truth.add("comments", _text(block))
            if row:
                cells[number] = row
        if cells:
            names = [v for k, v in table.attrib.items() if k.endswith("}name")]
            truth.add("sheet names", names[0] if names else "")
        truth.rows += grid_rows(cells)
        for shape in table.iter("{*}text-box", "{*}custom-shape"):
            for block in shape.iter("{*}p"):
                truth.add("text boxes", _text(block))


def _cell(cell: Any) -> tuple[str, Text]:
    attributes = {key.rpartition("}")[2]: value for key, value in cell.attrib.items()}
    inside = (
        one
        for one in cell.iter("{*}p", "{*}h")
        if not any(local(around) in {"annotation", "text-box", "custom-shape"}
                   for around in one.iterancestors())
    )  # fmt: skip
    shown = " ".join(filter(None, map(_text, inside)))
    kind = attributes.get("value-type", "")
    if kind in {"float", "currency"}:
        try:
            value = float(attributes.get("value", ""))
        except ValueError:
            return "numbers", shown
        return "numbers", (shown, *number_ways(attributes["value"], value, ""))
    if kind in {"date", "time"}:
        stored = attributes.get("date-value") or attributes.get("time-value") or ""
        return "dates", (shown, stored.replace("T", " "), stored.partition("T")[0])
    return {"percentage": "percents", "boolean": "booleans"}.get(kind, "texts"), shown
