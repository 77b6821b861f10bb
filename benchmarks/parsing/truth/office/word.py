"""Reads Word files from their XML, part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from benchmarks.parsing.truth.model import Cell, DamagedFileError, Formula, Items, Row, Truth, words
from benchmarks.parsing.truth.office.drawings import add_drawings
from benchmarks.parsing.truth.office.xml import Archive, local, relations

__all__ = ["read_word"]

_MAIN = "officeDocument"
_OTHERS = {
    "header": "headers and footers",
    "footer": "headers and footers",
    "footnotes": "footnotes",
    "endnotes": "endnotes",
    "comments": "comments",
}
# The first of these around a text names its part.
_AROUND = {
    "oMath": "equations",
    "oMathPara": "equations",
    "ins": "insertions",
    "moveTo": "insertions",
    "txbxContent": "text boxes",
    "sdtContent": "content controls",
    "smartTag": "smart tags",
    "fldSimple": "simple fields",
    "tbl": "tables",
}
# A drawing has a form for old programs too; deleted and moved text is no text any more.
_SKIPPED = {"Fallback", "del", "moveFrom", "pPrChange", "rPrChange", "instrText", "delText", "rt"}
# A shorter formula is in any text.
_SHORTEST_FORMULA = 3
_PAGE_NUMBER = re.compile(r"\s*(PAGE|NUMPAGES|SECTIONPAGES|DATE|TIME)\b", re.IGNORECASE)
_SPACES = {"tab", "br", "cr", "ptab"}


def read_word(data: bytes) -> Truth:
    """Returns the truth about a Word file.

    Raises:
        DamagedFileError: It is damaged or protected.
    """
    archive = Archive(data)
    main = next((one.name for one in relations(archive, "") if one.kind == _MAIN), "")
    if main not in archive:
        raise DamagedFileError("no main document in it")
    truth = Truth(uncounted=frozenset({"hidden text", "alternative texts"}))
    root = archive.xml(main)
    titles = _heading_styles(archive, main)
    for paragraph in _paragraphs(root):
        if _is_drop_cap(paragraph):
            continue
        _add(truth, paragraph, "body")
        is_heading = titles.get(_style(paragraph)) or _outline(paragraph)
        if is_heading and not _inside(paragraph, "tbl", "txbxContent"):
            truth.headings.append(_text(paragraph))
    for table in root.iter("{*}tbl"):
        if not _inside(table, "Fallback", "del", "tbl"):
            truth.rows += _rows(table)
    seen = set()
    for one in relations(archive, main):
        name = one.name
        if part := _OTHERS.get(one.kind):
            if name not in archive:
                continue
            for paragraph in _paragraphs(archive.xml(name)):
                text = _text(paragraph)
                if part != "headers and footers" or text not in seen:
                    seen.add(text)
                    _add(truth, paragraph, part, fixed=True)
        else:
            add_drawings(truth, archive, one.kind, name)
    return truth


def _is_drop_cap(paragraph: Any) -> bool:
    """Moves a letter that stands large before a paragraph into it, and tells whether it was one."""
    frame = paragraph.find("{*}pPr/{*}framePr")
    names = () if frame is None else [str(name).rpartition("}")[2] for name in frame.attrib]
    following = paragraph.getnext()
    if "dropCap" not in names or following is None or local(following) != "p":
        return False
    place = 1 if following.find("{*}pPr") is not None else 0
    for run in reversed(paragraph.findall("{*}r")):
        following.insert(place, run)
    return True


def _paragraphs(root: Any) -> Iterator[Any]:
    _drop_page_numbers(root)
    for paragraph in root.iter("{*}p"):
        if "wordprocessingml" not in paragraph.tag or _inside(paragraph, "Fallback", "moveFrom"):
            continue
        if _note_type(paragraph) not in {"separator", "continuationSeparator"}:
            yield paragraph


def _drop_page_numbers(root: Any) -> None:
    """Removes numbers of pages and dates of printing, which are the last reader's."""
    for field in root.iter("{*}fldSimple"):
        if any(_PAGE_NUMBER.match(value) for value in field.attrib.values()):
            for text in field.iter("{*}t"):
                text.text = ""
    for paragraph in root.iter("{*}p"):
        code, is_result = "", False
        for one in paragraph.iter("{*}fldChar", "{*}instrText", "{*}t"):
            kind = next((v for k, v in one.attrib.items() if k.endswith("}fldCharType")), "")
            if local(one) == "instrText":
                code += one.text or ""
            elif kind == "begin":
                code, is_result = "", False
            elif kind:
                is_result = kind == "separate"
            elif is_result and _PAGE_NUMBER.match(code):
                one.text = ""


def _note_type(paragraph: Any) -> str:
    for around in paragraph.iterancestors("{*}footnote", "{*}endnote"):
        return str(next((v for k, v in around.attrib.items() if k.endswith("}type")), ""))
    return ""


def _inside(element: Any, *names: str) -> bool:
    return any(local(around) in names for around in element.iterancestors())


def _add(truth: Truth, paragraph: Any, part: str, *, fixed: bool = False) -> None:
    """Adds a paragraph's text to the parts that its pieces belong to."""
    if not fixed:
        truth.flow.append(_text(paragraph))
    pieces: list[tuple[str, str]] = []
    around = _part_around(paragraph, part)
    for name, text in _pieces(paragraph, around):
        own = part if fixed and name not in {"equations", "text boxes", "hidden text"} else name
        if pieces and pieces[-1][0] == own:
            pieces[-1] = (own, pieces[-1][1] + text)
        else:
            pieces.append((own, text))
    for index, (name, text) in enumerate(pieces):
        # A word that two parts share belongs to the one that it ends in.
        if name == "equations":
            if sum(map(len, words(text))) >= _SHORTEST_FORMULA:
                truth.add(name, Formula(text))
            continue
        truth.add(name, text)
        if index and pieces[index - 1][1][-1:].isalnum() and text[:1].isalnum():
            _join(truth, pieces[index - 1], (name, text))


def _join(truth: Truth, left: tuple[str, str], right: tuple[str, str]) -> None:
    if left[0] in truth.parts and right[0] in truth.parts:
        first, second = truth.parts[left[0]], truth.parts[right[0]]
        if first and second and first[-1] == left[1] and second[-1] == right[1]:
            before, _, tail = left[1].rpartition(" ")
            first[-1], second[-1] = before, tail + right[1]


def _part_around(element: Any, default: str) -> str:
    for around in element.iterancestors():
        if part := _AROUND.get(local(around)):
            return part
    return default


def _pieces(element: Any, part: str, *, boxes: bool = False) -> Iterator[tuple[str, str]]:
    for child in element:
        name = local(child)
        if name in _SKIPPED or (name in {"p", "txbxContent"} and not boxes):
            continue
        if name == "t":
            yield part, child.text or ""
        elif name == "noBreakHyphen":
            yield part, "-"
        elif name in _SPACES and "wordprocessingml" in child.tag:
            if local(element) == "r":
                yield part, " "
        elif name == "r" and _is_hidden(child):
            yield from ((("hidden text", text)) for _, text in _pieces(child, part, boxes=boxes))
        else:
            yield from _pieces(child, _AROUND.get(name, part), boxes=boxes)


def _is_hidden(run: Any) -> bool:
    hidden = run.find("{*}rPr/{*}vanish")
    return hidden is not None and not any(
        value in {"0", "false", "off"} for value in hidden.attrib.values()
    )


def _text(paragraph: Any, *, boxes: bool = False) -> str:
    return "".join(
        text for part, text in _pieces(paragraph, "", boxes=boxes) if part != "hidden text"
    )


def _style(paragraph: Any) -> str:
    style = paragraph.find("{*}pPr/{*}pStyle")
    return "" if style is None else str(next(iter(style.attrib.values()), ""))


def _outline(paragraph: Any) -> bool:
    level = paragraph.find("{*}pPr/{*}outlineLvl")
    return level is not None and next(iter(level.attrib.values()), "9") < "9"


def _heading_styles(archive: Archive, main: str) -> dict[str, bool]:
    name = next((one.name for one in relations(archive, main) if one.kind == "styles"), "")
    if name not in archive:
        return {}
    result = {}
    for style in archive.xml(name).iter("{*}style"):
        title = style.find("{*}name")
        key = next((v for k, v in style.attrib.items() if k.endswith("}styleId")), "")
        value = "" if title is None else next(iter(title.attrib.values()), "")
        result[key] = (
            value.lower().startswith(("heading ", "title")) and value.lower() != "title page"
        )
    return result


def _rows(table: Any) -> list[Row]:
    """The rows of a table without tables in it, by its grid."""
    if table.find(".//{*}tc//{*}tbl") is not None:
        return []
    above: list[Cell] = []
    rows: list[Row] = []
    for line in table.iter("{*}tr"):
        if line.find("{*}trPr/{*}del") is not None:
            continue
        row: list[Cell] = [("",)] * _number(line.find("{*}trPr/{*}gridBefore"))
        for cell in line.iter("{*}tc"):
            properties = cell.find("{*}tcPr")
            merge = None if properties is None else properties.find("{*}vMerge")
            width = 1 if properties is None else _number(properties.find("{*}gridSpan"), 1)
            is_list = cell.find(".//{*}numPr") is not None
            text = "\n".join(_text(one) for one in cell.iter("{*}p"))
            content: Cell = (Items(text) if is_list else text,)
            if merge is not None and next(iter(merge.attrib.values()), "continue") == "continue":
                over = above[len(row)] if len(row) < len(above) else ()
                content = tuple(dict.fromkeys((*over, "", text)))
            row.append(content)
            row += [tuple(dict.fromkeys((*content, "")))] * (width - 1)
        above = row
        rows.append(tuple(row))
    if len(rows) == 1 and len(rows[0]) == 1:
        return []
    return [row for row in rows if any(text.strip() for cell in row for text in cell)]


def _number(element: Any, default: int = 0) -> int:
    if element is None:
        return default
    try:
        return min(int(next(iter(element.attrib.values()), default)), 100)
    except ValueError:
        return default
