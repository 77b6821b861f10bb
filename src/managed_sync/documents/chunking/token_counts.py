r"""Counts the tokens of passages of a text that is encoded only once.

An encoding first splits a text by a regular expression and then encodes each piece separately. At
an offset where a piece always ends, whatever surrounds it, the text can be split and the tokens of
both parts added up. For the expressions of ``cl100k_base`` and ``o200k_base``, and for those alone,
these offsets are

- before a space that follows another character than white space: pieces have spaces at their
  beginning, or consist of white space;
- after the last line break in white space, unless a slash follows: a piece with a line break
  reaches that far, and none but ``[\r\n/]*`` continues from there;
- after an ASCII letter or digit that is followed by white space, or by punctuation and then white
  space.

With any other encoding, every passage is encoded again.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from string import punctuation

from managed_sync.documents.chunking.tokenizer import Tokenizer
from managed_sync.documents.model import well_formed

__all__ = ["EncodedText"]

_INDENTED = re.compile(r"[^\S\r\n]+\S")
_SHORT = 64
# A longer run without a space is a script without spaces.
_FAR = 1000


class EncodedText:
    """A text that is encoded once and counts the tokens of its passages.

    Args:
        text: The text.
        tokenizer: The encoding of the tokens.
    """

    def __init__(self, text: str, tokenizer: Tokenizer) -> None:
        self._text = text = well_formed(text)
        self._tokenizer = tokenizer
        self._ends = tokenizer.ends(text)
        # Passages with the same end are counted one after the other.
        self._stop = self._boundary = -1
        self._up_to = 0

    def before(self, offset: int) -> int:
        """Returns the number of tokens that end at or before an offset."""
        return bisect_right(self._ends, offset)

    def end_of(self, tokens: int) -> int:
        """Returns the offset at which this many tokens end; the end of the text if it has fewer."""
        tokens = min(tokens, len(self._ends))
        return self._ends[tokens - 1] if tokens > 0 else 0

    def count(self, start: int, stop: int) -> int:
        """Returns the exact number of tokens of a passage that is encoded alone.

        Args:
            start: The offset of its first character, which is no white space.
            stop: The offset after its last character, which is no white space.
        """
        if self._count_up_to(stop):
            before, first = self._count_from(start, stop)
            if first <= self._boundary:
                return self._up_to - before
        return len(self._tokenizer.encode(self._text[start:stop]))

    def _count_up_to(self, stop: int) -> int:
        """Returns the tokens of the text if it ended at an offset; 0 if they are not known."""
        if stop != self._stop and self._tokenizer.is_additive:
            self._stop, self._up_to = stop, 0
            self._boundary = self._boundary_before(stop)
            if self._boundary > 0:
                short = self._short(self._boundary, stop)
                self._up_to = self.before(self._boundary) + short
        return self._up_to

    def _count_from(self, start: int, stop: int) -> tuple[int, int]:
        """Returns the tokens before a start of text, and the offset from which that count holds."""
        if start == 0 or (self._text[start - 1] == "\n" and self._text[start] != "/"):
            return self.before(start), start
        first = self._space_after(start, stop)
        return self.before(first) - self._short(start, first), first

    def _short(self, start: int, stop: int) -> int:
        """Returns the tokens of a short passage, most of which are cached."""
        if stop - start > _SHORT:
            return len(self._tokenizer.encode(self._text[start:stop]))
        return self._tokenizer.short_counts[self._text[start:stop]]

    def _line_begins(self, offset: int) -> bool:
        if offset == 0:
            return True
        text = self._text
        if text[offset - 1] != "\n":
            return False
        if text[offset].isspace():
            return _INDENTED.match(text, offset) is not None
        return text[offset] != "/"

    def _space_after(self, start: int, stop: int) -> int:
        """Returns the first space that ends a word; ``stop`` if there is none."""
        space = self._text.find(" ", start, stop)
        while space >= 0 and self._text[space - 1].isspace():
            space = self._text.find(" ", space + 1, stop)
        return space if space >= 0 else stop

    def _boundary_before(self, stop: int) -> int:
        """Returns an additive offset shortly before the end of a word; -1 if there is none."""
        text = self._text
        if not text[stop : stop + 1].isspace() and stop < len(text):
            return -1
        offset = stop
        while offset > 0 and text[offset - 1] in punctuation:
            offset -= 1
        if offset == 0:
            return -1
        before = text[offset - 1]
        if (before.isascii() and before.isalnum()) or self._line_begins(offset):
            return offset
        if before == " " and offset > 1 and not text[offset - 2].isspace():
            return offset - 1
        low = max(0, stop - _FAR)
        space = text.rfind(" ", low, stop)
        while space > 0 and text[space - 1].isspace():
            space = text.rfind(" ", low, space)
        return space
