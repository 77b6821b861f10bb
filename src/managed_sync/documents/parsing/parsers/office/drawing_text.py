"""Reads the text in shapes, tables and diagrams of Office files (DrawingML)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import join_blocks, link, list_item, paragraph
from managed_sync.documents.parsing.parsers.office.package import Relationship

__all__ = [
    "Links",
    "alternative_text",
    "drawing_blocks",
    "is_bulleted",
    "plain_text",
    "text_blocks",
]

Links = Mapping[str, Relationship]

# Numbers of slides and pages, and the present date: they change with every look at the file.
_CHANGING_FIELD = re.compile(r"slidenum|datetime.*|footer|header|pagenum", re.IGNORECASE)
# Programs write the name of a picture's file where its description should be.
_FILE_NAME = re.compile(
    r"(?:[^\n]*[\\/])?[^\n\\/]{1,120}\.(?:png|jpe?g|gif|bmp|tiff?|emf|wmf|svg)", re.I
)
_MAX_LEVEL = 8
_NO_LINKS: Links = {}


@dataclass(frozen=True)
class _Run:
    text: str
    target: str = ""


def plain_text(body: Element, links: Links = _NO_LINKS) -> str:
    """Returns the paragraphs of a text body, one a line."""
    lines = (_paragraph_text(one, links) for one in body.iter("a:p"))
    return "\n".join(line for line in lines if line.strip())


def text_blocks(
    body: Element, links: Links = _NO_LINKS, *, bulleted: Callable[[int], bool] | None = None
) -> list[str]:
    """Returns the paragraphs and list items of a text body as Markdown.

    Args:
        body: The element with the paragraphs.
        links: The relationships of its part.
        bulleted: Tells whether paragraphs of a level have bullets unless they say otherwise.
    """
    blocks = []
    numbers = [0] * (_MAX_LEVEL + 1)
    for one in body.iter("a:p"):
        text = _paragraph_text(one, links)
        if not text.strip():
            continue
        properties = one.find("a:pPr")
        level = _level(properties)
        has_bullet = is_bulleted(properties)
        if has_bullet is None:
            has_bullet = bulleted is not None and bulleted(level)
        is_numbered = properties is not None and properties.find("a:buAutoNum") is not None
        numbers[level] = numbers[level] + 1 if is_numbered else 0
        if is_numbered:
            text = f"{numbers[level]}. {text}"
        blocks.append(list_item(text, level) if has_bullet else paragraph(text))
    return blocks


def is_bulleted(properties: Element | None) -> bool | None:
    """Tells whether its properties give a paragraph a bullet; ``None`` if they say nothing."""
    if properties is None:
        return None
    if properties.find("a:buNone") is not None:
        return False
    marks = ("a:buChar", "a:buAutoNum", "a:buBlip")
    return True if any(properties.find(mark) is not None for mark in marks) else None


def alternative_text(properties: Element | None) -> str:
    """Returns what somebody wrote about a picture or shape, as a paragraph."""
    if properties is None:
        return ""
    texts = [properties.get("title", "").strip(), properties.get("descr", "").strip()]
    kept = [text for text in dict.fromkeys(texts) if text and not _FILE_NAME.fullmatch(text)]
    return paragraph("\n".join(kept))


def drawing_blocks(root: Element, links: Links) -> Iterator[str]:
    """Yields the text boxes and the descriptions of pictures in a sheet's or chart's drawing."""
    for element in root.iter():
        match element.tag.partition(":")[2]:
            case "cNvPr":
                yield alternative_text(element)
            case "txBody":
                yield join_blocks(text_blocks(element, links))


def _level(properties: Element | None) -> int:
    level = properties.get("lvl", "0") if properties is not None else "0"
    return min(int(level), _MAX_LEVEL) if level.isdigit() else 0


def _paragraph_text(one: Element, links: Links) -> str:
    """Returns the text of a paragraph, with the targets of its links."""
    parts: list[str] = []
    target, linked = "", ""
    for run in _runs(one, links):
        if run.target != target:
            parts.append(_linked(linked, target))
            target, linked = run.target, ""
        linked += run.text
    parts.append(_linked(linked, target))
    return "".join(parts)


def _linked(text: str, target: str) -> str:
    if not target or not text.strip():
        return text
    before = text[: len(text) - len(text.lstrip())]
    after = text[len(text.rstrip()) :]
    return f"{before}{link(text, target)}{after}"


def _runs(one: Element, links: Links) -> Iterator[_Run]:
    for run in one:
        match run.tag:
            case "a:r":
                yield _Run(_letters(run), _target(run, links))
            case "a:br":
                yield _Run("\n")
            case "a:fld" if not _CHANGING_FIELD.fullmatch(run.get("type", "")):
                yield _Run(_letters(run))
            case "mc:AlternateContent":
                choice = run.find("mc:Choice")
                if choice is not None:
                    yield from _runs(choice, links)
            case "m" | "m:oMathPara" | "m:oMath":
                yield _Run("".join(t.text or "" for t in run.iter("m:t")))


def _letters(run: Element) -> str:
    return "".join(one.text or "" for one in run.iter("a:t")).replace("\v", "\n")


def _target(run: Element, links: Links) -> str:
    properties = run.find("a:rPr")
    click = properties.find("a:hlinkClick") if properties is not None else None
    found = links.get(click.get("r:id", "")) if click is not None else None
    return found.target if found and found.is_external else ""
