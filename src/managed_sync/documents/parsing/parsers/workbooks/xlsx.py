"""Reads ``.xlsx`` workbooks, and those with macros, templates and Strict ones.

See ``docs/decisions/0040-documents-workbooks-slides.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import link, paragraph
from managed_sync.documents.parsing.parsers.office.number_formats.formats import (
    FIXED_FORMATS,
    NumberFormat,
    formats_of_styles,
)
from managed_sync.documents.parsing.parsers.office.package import Package, reading
from managed_sync.documents.parsing.parsers.workbooks.cells import cell_range, margin_texts
from managed_sync.documents.parsing.parsers.workbooks.sheet_parts import (
    SHEETS,
    add_parts,
    link_cells,
)
from managed_sync.documents.parsing.parsers.workbooks.sheet_xml import (
    SheetXml,
    read_strings,
)
from managed_sync.documents.parsing.parsers.workbooks.sheets import Sheet, write_workbook

__all__ = ["parse_xlsx"]


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
        if target and target.kind in SHEETS and target.target in package:
            yield _sheet(package, target.target, entry.get("name", ""), strings, formats)


def _sheet(
    package: Package, part: str, name: str, strings: list[str], formats: list[NumberFormat]
) -> Sheet:
    content = SheetXml(strings, formats)
    with package.open(part) as stream:
        content.read(stream)
    sheet = Sheet(name, content.rows)
    link_cells(sheet, content.links, package.relationships(part))
    for (row, column), target in content.targets.items():
        sheet.rows[row][column] = link(sheet.rows[row][column], target)
    tables = [package.xml(one) for one in package.related(part, "table")]
    ranges = [cell_range(table.get("ref", "")) for table in tables if table is not None]
    sheet.tables = [(one[0], one[2]) for one in ranges if one]
    add_parts(sheet, package, part)
    texts = (text for code in content.margins for text in margin_texts(code))
    sheet.others += [paragraph(text) for text in dict.fromkeys(texts)]
    return sheet


def _formats(package: Package, main: str, *, since_1904: bool) -> list[NumberFormat]:
    """Returns the number formats of the cells' styles."""
    codes = dict(FIXED_FORMATS)
    styles: Element | None = None
    for part in package.related(main, "styles"):
        styles = package.xml(part)
    if styles is None:
        return formats_of_styles([], {})
    for entry in styles.iter("x:numFmt"):
        if (number := entry.get("numFmtId", "")).isdigit():
            codes.setdefault(int(number), entry.get("formatCode", ""))
    ids = (style.get("numFmtId", "") for cells in styles.iter("x:cellXfs") for style in cells)
    return formats_of_styles(
        (int(number) if number.isdigit() else 0 for number in ids), codes, since_1904=since_1904
    )
