"""Decodes bytes into text, in any encoding."""

from __future__ import annotations

import codecs
import re

from managed_sync.errors import ParsingError

__all__ = ["decode", "is_text"]

# UTF-32's marks begin with UTF-16's, so they come first.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9._-]+)""", re.IGNORECASE)
_SAMPLE = 64 * 1024
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))


def decode(data: bytes, *, name: str) -> str:
    """Returns the text of some bytes.

    The encoding is that of a byte order mark, or UTF-8, or the one that the file declares, or the
    one that statistics suggest; without any of these, Windows-1252, as in browsers.

    Raises:
        ParsingError: The bytes are not text in any encoding.
    """
    for mark, marked in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(marked, errors="replace")
    # The mark of UTF-8 is not proof: the rest decides.
    data = data.removeprefix(codecs.BOM_UTF8)
    sample = data[:_SAMPLE]
    if b"\0" in sample and (utf16 := _utf16_without_mark(sample)):
        return data.decode(utf16, errors="replace")
    if not is_text(data):
        raise ParsingError(f"{name} is declared as text, but its bytes are not.")
    try:
        # Halves of surrogate pairs are not UTF-8, but some programs write them; they go later.
        return data.decode("utf-8", errors="surrogatepass")
    except UnicodeDecodeError:
        return data.decode(_declared(sample) or _guessed(sample), errors="replace")


def is_text(data: bytes) -> bool:
    """Tells whether some bytes are text in any encoding.

    Text has hardly any control characters; in other bytes they are as frequent as letters.
    """
    if data.startswith(tuple(mark for mark, _ in _BYTE_ORDER_MARKS)):
        return True
    sample = data[:_SAMPLE]
    if b"\0" in sample and _utf16_without_mark(sample):
        return True
    controls = len(sample) - len(sample.translate(None, _CONTROLS.replace(b"\0", b"")))
    try:
        codecs.getincrementaldecoder("utf-8")("surrogatepass").decode(sample)
    except UnicodeDecodeError:
        return controls <= 0.01 * len(sample) and b"\0" not in sample
    return controls <= 0.1 * len(sample)


def _utf16_without_mark(sample: bytes) -> str | None:
    """Returns the kind of UTF-16: in mostly Latin text, every second byte is NUL."""
    pairs = len(sample) // 2
    if pairs < 2:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    if even > 0.4 * pairs and odd < 0.05 * pairs:
        return "utf-16-be"
    return None


def _declared(sample: bytes) -> str | None:
    match = _DECLARED.search(sample[:2048])
    if match is None:
        return None
    try:
        return codecs.lookup(match.group(1).decode("ascii")).name
    except LookupError:
        return None


def _guessed(sample: bytes) -> str:
    try:
        from charset_normalizer import from_bytes  # noqa: PLC0415 - comes with an extra
    except ImportError:
        return "cp1252"
    best = from_bytes(sample).best()
    return best.encoding if best else "cp1252"
