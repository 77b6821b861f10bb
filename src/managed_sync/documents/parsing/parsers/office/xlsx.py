"""Reads ``.xlsx`` workbooks, and those with macros, templates and Strict ones."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import link
from managed_sync.documents.parsing.parsers.office.number_format import (
    BUILT_IN_FORMATS,
    NumberFormat,
)
from managed_sync.documents.parsing.parsers.office.package import Package, reading
from managed_sync.documents.parsing.parsers.office.sheet_comments import read_comments
from managed_sync.documents.parsing.parsers.office.sheet_xml import (
    SheetXml,
    cell_range,
    read_strings,
)
from managed_sync.documents.parsing.parsers.office.sheets import Sheet, write_workbook

__all__ = ["parse_xlsx"]

_SHEETS = {"worksheet", "chartsheet", "dialogsheet", "xlMacrosheet"}
# A link on a range of blank cells, as on a whole column, says nothing about most of them.
_MAX_LINKED_CELLS = 10_000


def parse_xlsx(data: bytes, *, name: str) -> str:
    """Reads a workbook, with a page, a heading and tables for each sheet.

    Raises:
        ParsingError: The file is damaged or protected.
    """
    with reading(name):
        package = Package(data, name=name)
        return write_workbook(_sheets(package))


def _sheets(package: Package) -> Iterator[Sheet]:
    main = package.main_part
    root = package.xml(main)
    if root is None:
        raise LookupError("it has no workbook in it")
    since_1904 = any(
        one.get("date1904", "0") not in {"0", "false"} for one in root.iter("x:workbookPr")
    )
    formats = _formats(package, main, since_1904=since_1904)
    strings: list[str] = []
    for part in package.related(main, "sharedStrings"):
        if part in package:
            with package.open(part) as stream:
                strings = read_strings(stream)
    relationships = package.relationships(main)
    for entry in root.iter("x:sheet"):
        target = relationships.get(entry.get("r:id", ""))
        if target and target.kind in _SHEETS and target.target in package:
            yield _sheet(package, target.target, entry.get("name", ""), strings, formats)


def _sheet(
    package: Package, part: str, name: str, strings: list[str], formats: list[NumberFormat]
) -> Sheet:
    content = SheetXml(strings, formats)
    with package.open(part) as stream:
        content.read(stream)
    sheet = Sheet(name, content.rows)
    relationships = package.relationships(part)
    for where, key in content.links:
        if (found := relationships.get(key)) and found.is_external:
            _link(sheet, where, found.target)
    for (row, column), target in content.targets.items():
        sheet.rows[row][column] = link(sheet.rows[row][column], target)
    for table_part in package.related(part, "table"):
        if (table := package.xml(table_part)) is not None:
            if where_ := cell_range(table.get("ref", "")):
                sheet.tables.append((where_[0], where_[2]))
    sheet.comments = read_comments(package, part)
    return sheet


def _link(sheet: Sheet, where: tuple[int, int, int, int], target: str) -> None:
    first_row, first_column, last_row, last_column = where
    if (last_row - first_row + 1) * (last_column - first_column + 1) > _MAX_LINKED_CELLS:
        return
    for number in range(first_row, last_row + 1):
        row = sheet.rows.get(number, {})
        for column in range(first_column, last_column + 1):
            if column in row:
                row[column] = link(row[column], target)


def _formats(package: Package, main: str, *, since_1904: bool) -> list[NumberFormat]:
    """Returns the number formats of the cells' styles."""
    codes = dict(BUILT_IN_FORMATS)
    styles: Element | None = None
    for part in package.related(main, "styles"):
        styles = package.xml(part)
    if styles is None:
        return [NumberFormat("General")]
    for entry in styles.iter("x:numFmt"):
        if (number := entry.get("numFmtId", "")).isdigit():
            codes[int(number)] = entry.get("formatCode", "")
    made: dict[str, NumberFormat] = {}
    formats = []
    for cells in styles.iter("x:cellXfs"):
        for style in cells.iter("x:xf"):
            number = style.get("numFmtId", "0")
            code = codes.get(int(number), "General") if number.isdigit() else "General"
            if code not in made:
                made[code] = NumberFormat(code, since_1904=since_1904)
            formats.append(made[code])
    return formats or [NumberFormat("General")]
