"""Decodes bytes into text, in any charset."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

from managed_sync.documents.parsing.charsets import codec_of
from managed_sync.errors import ParsingError

__all__ = ["decode", "is_text"]

# UTF-32's marks begin with UTF-16's, so they come first.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 64 * 1024
_CONTROLS = bytes(set(range(32)) - set(b"\0\t\n\v\f\r\x1b"))
_ASCII = bytes(range(128))
# Colors and other commands for a terminal.
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_SEVEN_BITS = (
    (re.compile(rb"\x1b\$(?:[@AB]|\(D)|\x1b\(J"), "iso2022_jp_2"),
    (re.compile(rb"\x1b\$\)C"), "iso2022_kr"),
)
_CHINESE = re.compile("[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef\\s!-~]")
_CHINESE_STOPS = re.compile("[\u3001\u3002\uff0c\u3041-\u30ff]")
# In scripts other than the Latin one, whole words are bytes beyond ASCII.
_WORDS = re.compile(rb"[\x80-\xff]{3,}")
# Windows has signs at these bytes, and no letters; DOS and the old Macintosh have letters.
_NOT_WINDOWS = re.compile(
    rb"[a-z](?:[\x8a\x8c\x8e\x9f]|[\x80-\x84\x86-\x89\x8d\x8f\x90\x98\x99\x9d][a-z])"
)
# How probable the charsets with Latin letters are before a look at the text.
_WINDOWS = {
    "cp1252": 1.0,
    "cp1250": 0.9,
    "iso8859-2": 0.9,
    "cp1254": 0.8,
    "cp1257": 0.6,
    "iso8859-15": 0.6,
    "cp1258": 0.5,
    "iso8859-16": 0.5,
}
_OTHER_LATIN = {"cp850": 1.0, "cp858": 1.0, "mac-roman": 1.0, "cp437": 0.9, "cp852": 0.8} | {
    "mac-latin2": 0.8
}
_MULTIBYTE = {"gb18030", "big5hkscs", "cp932", "euc-jp", "cp949", "johab"}
_LEAST_CONFIDENCE = 0.02


def decode(data: bytes, *, name: str, charset: str = "") -> str:
    """Returns the text of some bytes.

    A byte order mark comes first, then UTF-8 if the bytes are valid UTF-8 or nearly so, then the
    declared charset unless it is plainly wrong, then the one that statistics suggest. Without any
    of these it is Windows-1252, as in browsers.

    Args:
        data: The bytes.
        name: The name of the file in error messages.
        charset: The name of the charset that the file or its sender declares.

    Raises:
        ParsingError: The bytes are not text in any charset.
    """
    text = _decoded(data, name, charset)
    return _TERMINAL.sub("", text) if "\x1b" in text else text


def is_text(data: bytes) -> bool:
    """Tells whether some bytes are text in any charset.

    Text has hardly any control characters; in other bytes they are as frequent as letters.
    """
    sample = data[:_SAMPLE]
    if data.startswith(tuple(mark for mark, _ in _BYTE_ORDER_MARKS)) or _wide(sample):
        return True
    if any(pattern.search(sample) for pattern, _ in _SEVEN_BITS):
        sample = sample.translate(None, b"\x0e\x0f")
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    try:
        codecs.getincrementaldecoder("utf-8")("surrogatepass").decode(sample)
    except UnicodeDecodeError:
        return controls <= 0.01 * len(sample) and sample.count(0) <= 0.001 * len(sample)
    return controls <= 0.1 * len(sample)


def _decoded(data: bytes, name: str, charset: str) -> str:
    for mark, marked in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(marked, errors="replace")
    # The mark of UTF-8 is not proof: the rest decides.
    data = data.removeprefix(codecs.BOM_UTF8)
    sample = data[:_SAMPLE]
    if wide := _wide(sample):
        return data.decode(wide, errors="replace")
    if not is_text(data):
        raise ParsingError(f"{name} is declared as text, but its bytes are not.")
    text = _utf8(data)
    if text is not None:
        return text
    declared = codec_of(charset)
    if declared is None or not _fits(sample, declared):
        declared = _guessed(sample)
    return data.decode(declared, errors="replace")


def _utf8(data: bytes) -> str | None:
    """Returns the text if it is UTF-8, or a charset of seven bits, or ``None``."""
    try:
        # Halves of surrogate pairs are not UTF-8, but some programs write them; they go later.
        text = data.decode("utf-8", errors="surrogatepass")
    except UnicodeDecodeError:
        text = data.decode("utf-8", errors="replace")
        wrong = text.count("\ufffd")
        right = len(text) - len(text.encode("ascii", errors="ignore")) - wrong
        return text if right > 4 * wrong else None
    if "\x1b" in text and text.isascii():
        for pattern, codec in _SEVEN_BITS:
            if pattern.search(data):
                return data.decode(codec, errors="replace")
    return text


def _wide(sample: bytes) -> str | None:
    """Returns the kind of UTF-16 or UTF-32 of a text without a byte order mark.

    In mostly Latin text, every second byte or three of four bytes are NUL.
    """
    pairs = len(sample) // 2
    if pairs < 2:
        return None
    if b"\0" not in sample:
        return _wide_chinese(sample)
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if even + odd > 1.4 * pairs:
        return "utf-32-le" if sample[3::4].count(0) > 0.9 * (pairs // 2) else "utf-32-be"
    if odd > 0.4 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    if even > 0.4 * pairs and odd < 0.05 * pairs:
        return "utf-16-be"
    return _wide_chinese(sample)


def _wide_chinese(sample: bytes) -> str | None:
    high = len(sample.translate(None, _ASCII))
    if len(sample) % 2 or not 0.25 * len(sample) < high < 0.75 * len(sample):
        return None
    for codec in ("utf-16-le", "utf-16-be"):
        text = sample.decode(codec, errors="replace")
        if len(_CHINESE.findall(text)) > 0.98 * len(text) and _CHINESE_STOPS.search(text):
            return codec
    return None


def _fits(sample: bytes, codec: str) -> bool:
    """Tells whether a declared codec can be right."""
    if codec.startswith("utf-"):
        return codec == "utf-7" and sample.isascii()
    try:
        wrong = sample.decode(codec, errors="replace").count("\ufffd")
    except (UnicodeError, ValueError):
        return False
    if wrong > 1 + 0.01 * len(sample):
        return False
    # Servers declare Latin-1 for everything.
    return codec != "cp1252" or _is_latin(sample)


def _is_latin(sample: bytes) -> bool:
    """Tells whether most bytes beyond ASCII stand alone, between Latin letters."""
    words = sum(len(word) for word in _WORDS.findall(sample))
    return 2 * words < len(sample.translate(None, _ASCII))


def _guessed(sample: bytes) -> str:
    try:
        from chardet import EncodingEra, detect_all  # noqa: PLC0415 - comes with an extra
    except ImportError:
        return "cp1252"
    found = detect_all(
        sample,
        ignore_threshold=True,
        encoding_era=EncodingEra.ALL & ~EncodingEra.MAINFRAME,
        compat_names=False,
    )
    priors, other = _priors(sample)
    best, most = "cp1252", _LEAST_CONFIDENCE
    for guess in found:
        codec = codec_of(guess["encoding"] or "")
        if codec and (confidence := priors.get(codec, other) * guess["confidence"]) > most:
            best, most = codec, confidence
    return best


def _priors(sample: bytes) -> tuple[Mapping[str, float], float]:
    """Returns how probable charsets are by the places of the bytes beyond ASCII, and the others."""
    if not _is_latin(sample):
        return dict.fromkeys(_WINDOWS | _OTHER_LATIN, 0.5), 1.0
    high = len(sample.translate(None, _ASCII))
    is_windows = len(_NOT_WINDOWS.findall(sample)) < max(1, 0.1 * high)
    windows, other = (1.0, 0.5) if is_windows else (0.3, 1.0)
    priors = {
        **{codec: windows * prior for codec, prior in _WINDOWS.items()},
        **{codec: other * prior for codec, prior in _OTHER_LATIN.items()},
        **dict.fromkeys(_MULTIBYTE, 1.0),
    }
    return priors, 0.0
