"""Reads RTF files in one pass over the bytes.

Numbers of lists are those in the file, which programs write for readers that do not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

from managed_sync.documents.parsing.markdown_writer import link
from managed_sync.documents.parsing.parsers.rtf.codes import (
    CHARACTERS,
    SKIPPED,
    TRANSPARENT,
)
from managed_sync.documents.parsing.parsers.rtf.definitions import Definitions
from managed_sync.documents.parsing.parsers.rtf.story import Paragraph, Story
from managed_sync.documents.parsing.parsers.rtf.tables import RowShape
from managed_sync.documents.parsing.parsers.word.blocks import (
    SET,
    Block,
    add_running,
    flat,
    write_pages,
)
from managed_sync.documents.parsing.parsers.word.numbering import roman

__all__ = ["parse_rtf"]

_TOKEN = re.compile(
    r"\\([a-zA-Z]{1,32})(-?\d{1,9})? ?"  # a control word and its number
    r"|\\'([0-9a-fA-F]{2})"  # a byte
    r"|\\([^a-zA-Z])"  # a control symbol
    r"|([{}])"
    r"|[\r\n\0]+"
    r"|([^\\{}\r\n\0]+)",
    re.DOTALL,
)
_HYPERLINK = re.compile(r'\s*HYPERLINK\s+(?:\\[lmnot]\s*)?"?([^"\s]+)"?(?:\s*\\l\s*"([^"]+)")?')
# Notes in text boxes in notes: more levels of texts have no meaning.
_MAX_NESTED = 8
_STORIES = {
    **dict.fromkeys(("footnote", "annotation", "shptxt", "dptxbxtext"), ""),
    **dict.fromkeys(("header", "headerl", "headerr", "headerf"), "header"),
    **dict.fromkeys(("footer", "footerl", "footerr", "footerf"), "footer"),
}
_COLLECTED = {"fldinst", "listtext", "pntext", "atnauthor", "sn", "sv", "fonttbl", "stylesheet"}


@dataclass
class _State:
    """The settings of a group, which are forgotten at its end."""

    destination: str = ""
    is_skipped: bool = False
    font: int = -1
    fallbacks: int = 1
    is_hidden: bool = False
    is_deleted: bool = False
    has_begun: bool = False


def parse_rtf(data: bytes, *, name: str) -> str:
    """Reads an RTF file; it has pages where the author set them."""
    del name  # any bytes give some text
    return _Reader(data.decode("latin-1")).markdown()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._state = _State()
        self._stack: list[tuple[_State, Story, list[str] | None]] = []
        self._collected: list[str] | None = None
        self._bytes = bytearray()
        self._definitions = Definitions()
        self._story = self._body = Story(self._definitions.levels)
        self._shape = RowShape()
        self._to_skip = 0
        self._starred = False
        self._instruction = ""
        self._author = ""
        self._property = ""
        self._notes = {"footnote": 0, "endnote": 0}
        self._is_endnote = False
        self._nested = 0
        self._running: dict[str, dict[str, Block]] = {"header": {}, "footer": {}}
        self._links: list[tuple[int, int, str]] = []

    def markdown(self) -> str:
        """Returns the text of the file as Markdown."""
        position = 0
        while found := _TOKEN.match(self._text, position):
            position = found.end()
            word, number, byte, symbol, brace, text = found.groups()
            if word == "bin":
                position += max(0, int(number or 0))
            elif text is not None:
                self._letters(text)
            elif byte is not None:
                self._byte(int(byte, 16))
            elif word is not None:
                self._word(word, None if number is None else int(number))
            elif symbol is not None:
                self._symbol(symbol)
            elif brace == "{":
                self._open()
            elif brace == "}":
                self._close()
        while self._stack:
            self._close()
        self._flush()
        blocks = self._story.finished(self._shape)
        headers, footers = (self._running[kind].values() for kind in ("header", "footer"))
        return write_pages(blocks, headers=headers, footers=footers)

    def _open(self) -> None:
        self._flush()
        self._stack.append((self._state, self._story, self._collected))
        # A destination goes on in the groups inside it, but ends only once.
        self._state = replace(self._state, destination="", has_begun=False)
        self._starred = False
        self._to_skip = 0

    def _close(self) -> None:
        self._flush()
        self._to_skip = 0
        if not self._stack:
            return
        ended, story, collected = self._state.destination, self._story, self._collected
        is_skipped = self._state.is_skipped
        self._state, self._story, self._collected = self._stack.pop()
        self._nested -= ended in _STORIES
        if is_skipped or not ended:
            return
        if ended in _STORIES:
            self._end_story(ended, story)
        elif ended in _COLLECTED and collected is not None:
            self._end_collected(ended, "".join(collected))
        elif ended == "fldrslt":
            self._end_link()

    def _begin(self, destination: str, starred: bool) -> bool:
        """Begins a destination, if the word is one; tells whether it is."""
        if destination in _STORIES:
            if self._nested >= _MAX_NESTED:
                return True
            self._nested += 1
            self._state = replace(self._state, destination=destination, is_hidden=False)
            self._story = Story(self._definitions.levels)
            self._collected = None
        elif destination in _COLLECTED:
            self._state.destination = destination
            self._collected = []
        elif destination in TRANSPARENT:
            self._state.destination = destination
            if destination == "ud":  # the same text as before it, in Unicode
                self._state.is_skipped = False
            if destination == "fldrslt":
                self._links.append((len(self._story.parts), id(self._story), self._instruction))
                self._instruction = ""
        elif destination in SKIPPED or starred:
            self._state.is_skipped = True
        else:
            return False
        return True

    def _end_story(self, destination: str, story: Story) -> None:
        blocks = story.finished(self._shape)
        if kind := _STORIES[destination]:
            add_running(self._running[kind], blocks)
        elif destination == "footnote":
            note = "endnote" if self._is_endnote else "footnote"
            self._is_endnote = False
            self._notes[note] += 1
            count = self._notes[note]
            mark = f"[^{count if note == 'footnote' else roman(count)}]"
            self._story.parts.append(mark)
            text = flat(blocks)
            self._story.following.append(
                Block("footnote" if note == "footnote" else "endnote", f"{mark}: {text}")
            )
        elif destination == "annotation":
            author, self._author = self._author.strip(), ""
            if text := flat(blocks):
                by = f" ({author})" if author else ""
                self._story.following.append(Block("comment", f"Comment{by}: {text}"))
        else:
            self._story.following += blocks

    def _end_collected(self, destination: str, text: str) -> None:
        match destination:
            case "fldinst":
                self._instruction = text
            case "listtext" | "pntext":
                self._story.paragraph.label = text.strip()
            case "atnauthor":
                self._author = text
            case "sn":
                self._property = text.strip()
            case "sv" if self._property == "wzDescription" and text.strip():
                self._story.parts.append(f" {' '.join(text.split())} ")

    def _end_link(self) -> None:
        if not self._links:
            return
        start, story, instruction = self._links.pop()
        found = _HYPERLINK.match(instruction)
        if not found or story != id(self._story):
            return
        text = "".join(self._story.parts[start:])
        place = f"#{found[2]}" if found[2] else ""
        if text.strip() and "](" not in text and "[^" not in text:
            after = text[len(text.rstrip()) :]
            self._story.parts[start:] = [link(text.strip(), found[1] + place), after]

    def _letters(self, text: str) -> None:
        if self._to_skip:
            skipped = min(self._to_skip, len(text))
            self._to_skip -= skipped
            text = text[skipped:]
        self._bytes += text.encode("latin-1", "replace")

    def _byte(self, value: int) -> None:
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._bytes.append(value)

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            # It has a meaning at the beginning of a group only.
            self._starred = not self._state.has_begun
        elif symbol in "\r\n":
            self._word("par", None)
        elif self._to_skip:
            self._to_skip -= 1
        elif symbol in "{}\\":
            # Also the second half of a character of two bytes.
            self._bytes += symbol.encode()
        elif symbol in CHARACTERS:
            self._add(CHARACTERS[symbol])

    def _flush(self) -> None:
        """Decodes the bytes so far, which may be two for one character."""
        if not self._bytes:
            return
        data, self._bytes = bytes(self._bytes), bytearray()
        self._put(self._definitions.decode(data, self._state.font))

    def _add(self, text: str) -> None:
        self._flush()
        self._put(text)

    def _put(self, text: str) -> None:
        state = self._state
        if not text or state.is_skipped:
            return
        if self._collected is not None:
            self._collected.append(text)
            self._name(text)
        elif not (state.is_hidden or state.is_deleted):
            self._story.parts.append(text)

    def _word(self, word: str, number: int | None) -> None:
        starred, self._starred = self._starred, False
        self._state.has_begun = True
        if self._to_skip and word in CHARACTERS:
            self._to_skip -= 1
            return
        self._to_skip = 0
        if word in CHARACTERS:
            self._add(CHARACTERS[word])
            return
        self._flush()
        if self._begin(word, starred) or self._state.is_skipped:
            return
        if self._collected is not None and (
            self._define(word, number or 0) or word not in _ANYWHERE
        ):
            return
        if action := self._actions.get(word):
            action(self, 1 if number is None else number)

    def _define(self, word: str, number: int) -> bool:
        """Records a control word of the font table or the style sheet, if this is one."""
        if self._is_in("fonttbl"):
            self._definitions.define_font(word, number)
        elif self._is_in("stylesheet"):
            self._definitions.define_style(word, number)
        else:
            return False
        return True

    def _name(self, text: str) -> None:
        if self._is_in("fonttbl"):
            self._definitions.name_font(text)
        elif self._is_in("stylesheet"):
            self._definitions.name_style(text)

    def _is_in(self, destination: str) -> bool:
        return self._state.destination == destination or any(
            state.destination == destination for state, _, _ in self._stack[-2:]
        )

    def _unicode(self, number: int) -> None:
        self._put(chr(number % 0x10000))
        self._to_skip = self._state.fallbacks

    def _page(self, _number: int) -> None:
        self._begin_page(Block("page", label=SET))

    def _section(self, _number: int) -> None:
        self._begin_page(Block("page"))

    def _begin_page(self, block: Block) -> None:
        self._story.end_paragraph()
        if self._story is self._body:
            self._story.add(block)

    def _reset_paragraph(self, _number: int) -> None:
        self._story.paragraph = Paragraph(label=self._story.paragraph.label)

    def _new_row(self, _number: int) -> None:
        self._shape = RowShape()

    def _style(self, number: int) -> None:
        self._story.paragraph.style = number

    def _in_table(self, number: int) -> None:
        self._story.paragraph.in_table = bool(number)

    def _level(self, number: int) -> None:
        self._story.paragraph.level = number + 1 if number < 9 else 0

    def _depth(self, number: int) -> None:
        self._story.paragraph.depth = min(max(number, 0), 8)

    def _font(self, number: int) -> None:
        self._state.font = number

    def _hidden(self, number: int) -> None:
        self._state.is_hidden = bool(number)

    def _deleted(self, number: int) -> None:
        self._state.is_deleted = bool(number)

    def _plain(self, _number: int) -> None:
        self._state.is_hidden = self._state.is_deleted = False

    def _fallbacks(self, number: int) -> None:
        self._state.fallbacks = max(0, min(number, 100))

    def _endnote(self, _number: int) -> None:
        self._is_endnote = True

    _actions: ClassVar[dict[str, Callable[[_Reader, int], None]]] = {
        "u": _unicode,
        "uc": _fallbacks,
        "f": _font,
        "deff": _font,
        "plain": _plain,
        "v": _hidden,
        "deleted": _deleted,
        "ansicpg": lambda self, number: self._definitions.set_codepage(number),
        "mac": lambda self, _: self._definitions.set_codepage(10000),
        "pc": lambda self, _: self._definitions.set_codepage(437),
        "pca": lambda self, _: self._definitions.set_codepage(850),
        "par": lambda self, _: self._story.end_paragraph(),
        "pard": _reset_paragraph,
        "sect": _section,
        "page": _page,
        "s": _style,
        "outlinelevel": _level,
        "ilvl": _depth,
        "intbl": _in_table,
        "cell": lambda self, _: self._story.end_cell(),
        "row": lambda self, _: self._story.end_row(self._shape),
        "trowd": _new_row,
        "trleft": lambda self, number: self._shape.begin(number),
        "cellx": lambda self, number: self._shape.end_cell(number),
        "clvmrg": lambda self, _: self._shape.continue_above(),
        "clmrg": lambda self, _: self._shape.continue_left(),
        "ftnalt": _endnote,
    }


# What may come within a text that is collected, such as the number of an item.
_ANYWHERE = {"u", "uc", "f", "plain"}
