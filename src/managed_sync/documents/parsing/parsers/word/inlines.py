"""Reads what is inside a paragraph of a Word file: runs, fields, links, notes, pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import link
from managed_sync.documents.parsing.parsers.office.drawing_text import (
    alternative_text,
    plain_text,
)
from managed_sync.documents.parsing.parsers.office.equation_fields import equation_of
from managed_sync.documents.parsing.parsers.word import equations, symbols
from managed_sync.documents.parsing.parsers.word.attributes import is_on, value_of
from managed_sync.documents.parsing.parsers.word.blocks import Block
from managed_sync.documents.parsing.parsers.word.context import StoryContext
from managed_sync.documents.parsing.parsers.word.fields import Field

__all__ = ["PAGE", "RENDERED_PAGE", "Inlines"]

# No XML can contain these two characters, so they cannot come from a file's text.
PAGE = "\f"
RENDERED_PAGE = "\v"

# Properties, codes, and text that was deleted or moved away.
_NOT_TEXT = {
    *("w:pPr", "w:rPr", "w:sdtPr", "w:sdtEndPr", "w:smartTagPr", "w:customXmlPr", "w:ffData"),
    *("w:del", "w:moveFrom", "w:delText", "w:instrText", "w:delInstrText", "w:fldData"),
    *("w:sectPr", "w:tblPr", "w:tblGrid", "w:trPr", "w:tcPr", "w:rubyPr", "m:oMathParaPr"),
}
_MAX_CODE = 10_000
_SPACES = re.compile(r"[\r\n]+")
_HYPERLINK = re.compile(r"\s*HYPERLINK\b(.*)", re.IGNORECASE | re.DOTALL)
_ARGUMENT = re.compile(r'(\\[lmnot])?\s*"([^"]*)"|(\\[lmnot])?\s*([^\s"\\]\S*)')


@dataclass
class Inlines:
    """The text of one paragraph, and the blocks that follow it.

    Attributes:
        story: The body, header, note or text box that the paragraph is in.
        following: Text boxes, charts and comments at places in the paragraph.
    """

    story: StoryContext
    following: list[Block] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)
    _font: str = ""
    _is_hidden: bool = False
    _described: set[str] = field(default_factory=set)

    def read(self, paragraph: Element, *, is_hidden: bool = False) -> str:
        """Returns the text of a paragraph, with marks where pages begin."""
        self.story.fields.begin_paragraph()
        self._is_hidden = is_hidden
        self._all(paragraph)
        self._parts.append(self.story.fields.held())
        for each in self.story.fields.end_paragraph():
            self._close(each)
        return "".join(self._parts)

    def _all(self, element: Element) -> None:
        for child in element:
            self._one(child)

    def _one(self, element: Element) -> None:
        tag = element.tag
        if tag in _NOT_TEXT:
            return
        reader = self._readers.get(tag)
        if reader is not None:
            reader(self, element)
        else:
            # Unknown elements may contain text: content controls, smart tags, insertions.
            self._all(element)

    def _add(self, text: str) -> None:
        if text and self.story.fields.open_codes:
            self.story.fields.hold(text)
        elif text:
            self._parts.append(text)

    def _apart(self, text: str) -> None:
        """Adds text that is not part of the words around it."""
        text = " ".join(text.split())
        if text:
            before = self._parts and self._parts[-1] and not self._parts[-1][-1].isspace()
            self._add(f"{' ' if before else ''}{text} ")

    def _run(self, element: Element) -> None:
        properties = element.find("w:rPr")
        style = "" if properties is None else value_of(properties, "w:rStyle")
        hidden = is_on(properties, "w:vanish")
        if hidden is None:
            hidden = self._is_hidden or (
                bool(style) and self.story.document.styles.is_hidden(style)
            )
        fonts = None if properties is None else properties.find("w:rFonts")
        self._font = "" if fonts is None else fonts.get("w:ascii", "")
        if hidden:
            # Fields begin and end in hidden runs, too.
            for child in element:
                if child.tag in {"w:fldChar", "w:instrText"}:
                    self._one(child)
            return
        for child in element:
            if child.tag == "w:instrText":
                self._code(child)
            else:
                self._one(child)

    def _text(self, element: Element) -> None:
        text = _SPACES.sub(" ", element.text or "")
        self._add(symbols.translate(text, self._font))

    def _symbol(self, element: Element) -> None:
        self._add(symbols.symbol(element.get("w:char", ""), element.get("w:font", "")))

    def _break(self, element: Element) -> None:
        self._add(PAGE if element.get("w:type") == "page" else "\n")

    def _ruby(self, element: Element) -> None:
        if (base := element.find("w:rubyBase")) is not None:
            self._all(base)
        if (reading := element.find("w:rt")) is not None:
            self._add("(")
            self._all(reading)
            self._add(")")

    def _equation(self, element: Element) -> None:
        text = equations.linear(element)
        if text:
            self._add(f"{text}\n" if element.tag == "m:oMathPara" else text)

    def _hyperlink(self, element: Element) -> None:
        start = len(self._parts)
        self._all(element)
        target = self.story.target(element.get("r:id", ""))
        if target and (anchor := element.get("w:anchor")):
            target = f"{target}#{anchor}"
        self._link(start, target)

    def _link(self, start: int, target: str) -> None:
        text = "".join(self._parts[start:])
        if not target or not text.strip() or "](" in text or PAGE in text or "[^" in text:
            return
        shown = text.strip()
        before = text[: len(text) - len(text.lstrip())]
        after = text[len(text.rstrip()) :]
        mark = RENDERED_PAGE if RENDERED_PAGE in shown else ""
        self._parts[start:] = [before, mark, link(shown.replace(mark, ""), target), after]

    def _field_character(self, element: Element) -> None:
        fields = self.story.fields
        kind = element.get("w:fldCharType")
        if kind == "begin":
            self._form_value(element)
            fields.begin(len(self._parts))
        elif kind == "separate":
            fields.begin_result(len(self._parts))
        elif kind == "end" and (ended := fields.end()):
            self._close(ended)

    def _code(self, element: Element) -> None:
        fields = self.story.fields.begun
        if fields and not fields[-1].in_result and len(fields[-1].code) < _MAX_CODE:
            fields[-1].code += element.text or ""

    def _close(self, each: Field) -> None:
        if each.in_result and (found := _HYPERLINK.match(each.code)):
            self._link(each.start, _address(found.group(1)))
        elif not "".join(self._parts[each.start :]).strip() and not self.story.fields.open_codes:
            self._add(equation_of(each.code))

    def _form_value(self, element: Element) -> None:
        """Adds what a check box or a list of an old form shows, since neither has a result."""
        data = element.find("w:ffData")
        if data is None:
            return
        if (box := data.find("w:checkBox")) is not None:
            checked = is_on(box, "w:checked")
            if checked is None:
                checked = is_on(box, "w:default")
            self._add("☒" if checked else "☐")
        elif (choices := data.find("w:ddList")) is not None:
            chosen = value_of(choices, "w:result") or value_of(choices, "w:default") or "0"
            entries = [entry.get("w:val", "") for entry in choices.findall("w:listEntry")]
            if chosen.isdecimal() and int(chosen) < len(entries):
                self._add(entries[int(chosen)])

    def _footnote(self, element: Element) -> None:
        self._note("footnotes", element)

    def _endnote(self, element: Element) -> None:
        self._note("endnotes", element)

    def _note(self, kind: str, element: Element) -> None:
        mark, blocks = self.story.document.note(kind, element.get("w:id", ""))
        self._add(mark)
        self.following += blocks

    def _comment(self, element: Element) -> None:
        self.following += self.story.document.comment(element.get("w:id", ""))

    def _alternatives(self, element: Element) -> None:
        """Reads the first choice that has text; the others are the same for older programs."""
        before = len(self._parts), len(self.following)
        for alternative in element:
            self._all(alternative)
            if (len(self._parts), len(self.following)) != before:
                return

    def _text_box(self, element: Element) -> None:
        self.following += self.story.text_box(element)

    def _drawing_text(self, element: Element) -> None:
        if text := plain_text(element):
            self.following.append(Block("paragraph", text))

    def _drawing(self, element: Element) -> None:
        outer, self._described = self._described, set()
        self._all(element)
        self._described = outer

    def _description(self, element: Element) -> None:
        """Adds an alternative text; a picture and its frame often have the same one."""
        text = alternative_text(element)
        if text not in self._described:
            self._described.add(text)
            self._apart(text)
        self._all(element)

    def _shape(self, element: Element) -> None:
        """Reads a shape of VML, the form of pictures and text boxes before Word 2010."""
        self._apart(element.get("alt", ""))
        self._all(element)

    def _word_art(self, element: Element) -> None:
        self._apart(element.get("string", ""))

    def _chart(self, element: Element) -> None:
        self.following += self.story.chart(element.get("r:id", ""))

    def _diagram(self, element: Element) -> None:
        self.following += self.story.diagram(element.get("r:dm", ""))

    _readers: ClassVar[dict[str, Callable[[Inlines, Element], None]]] = {
        "w:r": _run,
        "w:t": _text,
        "w:sym": _symbol,
        "w:tab": lambda self, _: self._add("\t"),
        "w:ptab": lambda self, _: self._add("\t"),
        "w:br": _break,
        "w:cr": lambda self, _: self._add("\n"),
        "w:noBreakHyphen": lambda self, _: self._add("-"),
        "w:lastRenderedPageBreak": lambda self, _: self._add(RENDERED_PAGE),
        "w:ruby": _ruby,
        "m:oMath": _equation,
        "m:oMathPara": _equation,
        "w:hyperlink": _hyperlink,
        "w:fldChar": _field_character,
        "w:footnoteReference": _footnote,
        "w:endnoteReference": _endnote,
        "w:commentReference": _comment,
        "mc:AlternateContent": _alternatives,
        "w:txbxContent": _text_box,
        "a:txBody": _drawing_text,
        "w:drawing": _drawing,
        **dict.fromkeys(
            ("wp:docPr", "pic:cNvPr", "wps:cNvPr", "wpg:cNvPr", "a:cNvPr"), _description
        ),
        "v:shape": _shape,
        "v:rect": _shape,
        "v:textpath": _word_art,
        "c:chart": _chart,
        "cx:chart": _chart,
        "dgm:relIds": _diagram,
    }


def _address(arguments: str) -> str:
    """Returns the address in the code of a hyperlink field, with its place in the page."""
    address = place = ""
    for found in _ARGUMENT.finditer(arguments):
        switch = found.group(1) or found.group(3) or ""
        value = found.group(2) or found.group(4) or ""
        if not switch and not address:
            address = value
        elif switch == "\\l":
            place = value
    return f"{address}#{place}" if address and place else address
