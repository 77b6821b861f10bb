r"""A text whose tokens are known, so that passages of it are counted without encoding them again.

An encoding first takes a text apart by a regular expression, and then encodes each piece on its
own. Where a piece ends, whatever stands around it, a text can be taken apart and its tokens added
up. For the expressions of ``cl100k_base`` and ``o200k_base``, and for those alone, such places are

- before a space that follows what is no white space: pieces have spaces at their beginning, or
  consist of white space;
- after the last line break in white space, unless a slash follows: a piece with a line break
  reaches that far, and none but ``[\r\n/]*`` goes on from there;
- after an ASCII letter or digit that is followed by white space, or by marks and then white space.

With another encoding every passage is encoded again.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from string import punctuation

from managed_sync.documents.chunking.tokenizer import Tokenizer, well_formed

__all__ = ["EncodedText"]

_INDENTED = re.compile(r"[^\S\r\n]+\S")
_SHORT = 64
# Beyond this, a script without spaces is at work.
_FAR = 1000


class EncodedText:
    """Counts tokens before, between, and in places of one text, which is encoded once.

    Args:
        text: The text.
        tokenizer: What says what a token is.
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self._text = text = well_formed(text)
        self._tokenizer = tokenizer
        self._ends = tokenizer.ends(text)
        # Passages with the same end are counted one after the other.
        self._stop = self._boundary = -1
        self._up_to = 0

    def before(self, offset: int) -> int:
        """How many tokens end at or before a character."""
        return bisect_right(self._ends, offset)

    def end_of(self, tokens: int) -> int:
        """The character at which this many tokens end; the end of the text if it has fewer."""
        tokens = min(tokens, len(self._ends))
        return self._ends[tokens - 1] if tokens > 0 else 0

    def count(self, start: int, stop: int) -> int:
        """How many tokens the passage has on its own, exactly.

        Args:
            start: Its first character, which is no white space.
            stop: The end of it, after a character that is no white space.
        """
        if self._count_up_to(stop):
            before, first = self._count_from(start, stop)
            if first <= self._boundary:
                return self._up_to - before
        return len(self._tokenizer.encode(self._text[start:stop]))

    def _count_up_to(self, stop: int) -> int:
        """The tokens of the text up to a place, as if it ended there; 0 if that is not known."""
        if stop != self._stop and self._tokenizer.is_additive:
            self._stop, self._up_to = stop, 0
            self._boundary = self._boundary_before(stop)
            if self._boundary > 0:
                short = self._short(self._boundary, stop)
                self._up_to = self.before(self._boundary) + short
        return self._up_to

    def _count_from(self, start: int, stop: int) -> tuple[int, int]:
        """The tokens before a place, as if the text began there, and where they are like that."""
        if start == 0 or (self._text[start - 1] == "\n" and self._text[start] != "/"):
            return self.before(start), start
        first = self._space_after(start, stop)
        return self.before(first) - self._short(start, first), first

    def _short(self, start: int, stop: int) -> int:
        """The tokens of a few characters, most of which have been there before."""
        if stop - start > _SHORT:
            return len(self._tokenizer.encode(self._text[start:stop]))
        return self._tokenizer.short_counts[self._text[start:stop]]

    def _line_begins(self, place: int) -> bool:
        if place == 0:
            return True
        text = self._text
        if text[place - 1] != "\n":
            return False
        if text[place].isspace():
            return _INDENTED.match(text, place) is not None
        return text[place] != "/"

    def _space_after(self, start: int, stop: int) -> int:
        """The first space that ends a word; ``stop`` if there is none."""
        space = self._text.find(" ", start, stop)
        while space >= 0 and self._text[space - 1].isspace():
            space = self._text.find(" ", space + 1, stop)
        return space if space >= 0 else stop

    def _boundary_before(self, stop: int) -> int:
        """A place shortly before the end of a word; -1 if there is none."""
        text = self._text
        if not text[stop : stop + 1].isspace() and stop < len(text):
            return -1
        place = stop
        while place > 0 and text[place - 1] in punctuation:
            place -= 1
        if place == 0:
            return -1
        before = text[place - 1]
        if (before.isascii() and before.isalnum()) or self._line_begins(place):
            return place
        if before == " " and place > 1 and not text[place - 2].isspace():
            return place - 1
        low = max(0, stop - _FAR)
        space = text.rfind(" ", low, stop)
        while space > 0 and text[space - 1].isspace():
            space = text.rfind(" ", low, space)
        return space
