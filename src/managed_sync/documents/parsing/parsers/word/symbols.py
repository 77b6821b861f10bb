"""Translates the characters of symbol fonts, which have no meaning of their own, to Unicode."""

from __future__ import annotations

import re

__all__ = ["symbol", "translate"]

# Adobe's Symbol encoding from 0x20 and from 0xA1 on.
_LOW = (
    " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_"  # noqa: RUF001 - Greek
    " αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"  # noqa: RUF001 - Greek
)
_HIGH = (
    "ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…|—↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓"  # noqa: RUF001 - signs
    "◊〈®©™∑           〉∫⌠ ⌡         "  # the gaps are parts of tall brackets
)
_SYMBOL = {
    **{0x20 + index: letter for index, letter in enumerate(_LOW)},
    **{0xA1 + index: letter for index, letter in enumerate(_HIGH)},
}
_WINGDINGS = {
    0x21: "✏",
    0x22: "✂",
    0x28: "☎",
    0x2A: "✉",
    0x36: "⌛",
    0x46: "☞",
    0x4A: "☺",
    0x4B: "😐",
    0x4C: "☹",
    0x6C: "●",
    0x6D: "○",
    0x6E: "■",
    0x6F: "□",
    0x71: "❑",
    0x72: "❒",
    0x74: "◆",
    0x75: "◆",
    0x76: "❖",
    0x77: "◆",
    0x78: "☒",
    0x9F: "•",
    0xA7: "▪",
    0xA8: "◻",
    0xAB: "★",
    0xD8: "➢",
    0xDF: "←",
    0xE0: "→",
    0xE1: "↑",
    0xE2: "↓",
    0xE8: "➔",
    0xEF: "⇦",
    0xF0: "⇨",
    0xFB: "✗",
    0xFC: "✓",
    0xFD: "☒",
    0xFE: "☑",
}
_WINGDINGS_2 = {0x4F: "✗", 0x50: "✓", 0x51: "☒", 0x52: "☑", 0x53: "☒", 0x54: "☒", 0xA3: "□"}
# Word stores a character of a symbol font at this offset, in the private use area.
_OFFSET = 0xF000
_PRIVATE = re.compile("[\uf020-\uf0ff]")


def symbol(code: str, font: str) -> str:
    """Returns the character for a hexadecimal code in a font; nothing if it has no equivalent."""
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    if not 0x20 <= number <= 0xFFFF:
        return ""
    inside = number - _OFFSET if _OFFSET < number < _OFFSET + 0x100 else number
    if inside < 0x100:
        if found := _font_table(font).get(inside, "").strip(" "):
            return found
        if _is_symbolic(font):
            return ""
    return chr(number) if number == inside and not 0xD800 <= number < 0xE000 else ""


def translate(text: str, font: str) -> str:
    """Replaces the private characters of symbol fonts in a text."""
    if not _PRIVATE.search(text):
        return text
    table = _font_table(font) or _SYMBOL
    return _PRIVATE.sub(lambda found: table.get(ord(found.group()) - _OFFSET, ""), text)


def _is_symbolic(font: str) -> bool:
    return font.lower().startswith(("symbol", "wingdings", "webdings"))


def _font_table(font: str) -> dict[int, str]:
    match font.lower():
        case "symbol":
            return _SYMBOL
        case "wingdings":
            return _WINGDINGS
        case "wingdings 2":
            return _WINGDINGS_2
    return {}
