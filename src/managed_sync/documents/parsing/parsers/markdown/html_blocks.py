"""Reads the HTML between the paragraphs of Markdown."""

from __future__ import annotations

import re
from enum import Enum

from managed_sync.documents.parsing import markdown_writer
from managed_sync.documents.parsing.parsers.web.html import parse_html
from managed_sync.errors import MissingExtraError

__all__ = ["HtmlBlock", "html_block", "html_to_markdown"]


class HtmlBlock(Enum):
    """The kinds of HTML blocks, each with the mark in the line that ends it.

    A block without a mark ends at a blank line.
    """

    COMMENT = "-->"
    PRE = "</pre>"
    SCRIPT = "</script>"
    STYLE = "</style>"
    TEXTAREA = "</textarea>"
    TABLE = "</table>"
    OTHER = ""


_BLOCK_TAGS = (
    "address|article|aside|base|basefont|blockquote|body|caption|center|col|colgroup|dd|details|"
    "dialog|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|frame|frameset|h[1-6]|head|header|"
    "hr|html|iframe|legend|li|link|main|menu|menuitem|nav|noframes|ol|optgroup|option|p|param|"
    "search|section|summary|tbody|td|tfoot|th|thead|title|tr|track|ul"
)
_RAW = re.compile(r" {0,3}<(pre|script|style|textarea|table)(?=[\s>]|$)", re.IGNORECASE)
_BLOCK = re.compile(rf" {{0,3}}</?(?:{_BLOCK_TAGS}|pre|table)(?=[\s/>]|$)", re.IGNORECASE)
_INLINE_TAGS = (
    "a|abbr|b|big|br|code|del|em|font|i|img|input|ins|kbd|picture|small|source|span|strong|sub|sup|"
    "svg|tt|u|video|wbr"
)
_ONE_TAG = re.compile(rf" {{0,3}}</?(?:{_INLINE_TAGS})(?:[\s/][^<>]*)?>[ \t]*$", re.IGNORECASE)

_TAGS = re.compile(r"<[^<>]*>")
_SHOWN_BY_A_TAG = "="  # a picture's alt, a field's value


def html_block(line: str, *, in_paragraph: bool) -> HtmlBlock | None:
    """Returns the kind of the HTML block that begins with a line, if one does.

    Args:
        line: The line.
        in_paragraph: True if the line before it is text, which some blocks cannot end.
    """
    if line.lstrip(" ").startswith("<!--"):
        return HtmlBlock.COMMENT
    if raw := _RAW.match(line):
        return HtmlBlock(f"</{raw.group(1).lower()}>")
    if _BLOCK.match(line) or (not in_paragraph and _ONE_TAG.match(line)):
        return HtmlBlock.OTHER
    return None


def html_to_markdown(html: str, block: HtmlBlock, *, name: str) -> str:
    """Returns the text of an HTML block; without an HTML parser it stays as it is.

    Args:
        html: The block.
        block: Its kind.
        name: The name of the file in error messages.
    """
    is_unseen = block in {HtmlBlock.SCRIPT, HtmlBlock.STYLE}
    if is_unseen or (_SHOWN_BY_A_TAG not in html and not _TAGS.sub("", html).strip()):
        return ""
    try:
        return parse_html(html, name=name)
    except MissingExtraError:
        return markdown_writer.escape(html)
