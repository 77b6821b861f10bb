"""Reads contacts (vCard): a heading and the known facts for each of them."""

from __future__ import annotations

from collections.abc import Iterator

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.parsers.mail.content_lines import (
    Component,
    Property,
    components,
)
from managed_sync.documents.parsing.parsers.text import parse_text

__all__ = ["contacts_text"]

_TITLES = {
    "NICKNAME": "Nickname",
    "ORG": "Organization",
    "TITLE": "Job title",
    "ROLE": "Role",
    "EMAIL": "Email",
    "TEL": "Phone",
    "IMPP": "Chat",
    "ADR": "Address",
    "LABEL": "Address",
    "URL": "Link",
    "BDAY": "Birthday",
    "ANNIVERSARY": "Anniversary",
    "CATEGORIES": "Categories",
    "LANG": "Language",
    "RELATED": "Related",
    "MEMBER": "Member",
    "NOTE": "Note",
}
_OF_SEVERAL = {"ORG", "ADR"}
# Types that say how a value may be used, not where.
_UNSAID = {"pref", "internet", "x-internet", "voice", "text", "quoted-printable", "b", "base64"}


def contacts_text(text: str) -> str:
    """Returns the contacts of a file as Markdown; without any, its lines."""
    found = list(components(text).find("VCARD"))
    blocks = (block for contact in found for block in _blocks(contact))
    return markdown.join_blocks(blocks) or parse_text(text)


def _blocks(contact: Component) -> Iterator[str]:
    yield markdown.heading(_name(contact), 1)
    yield markdown.paragraph("\n".join(_lines(contact)))


def _name(contact: Component) -> str:
    if name := contact.text("FN"):
        return name
    for each in contact.all("N"):
        family, given, middle, before, after, *_ = [*each.values(), *[""] * 5]
        return " ".join(filter(None, [before, given, middle, family, after]))
    return contact.text("ORG") or contact.text("EMAIL")


def _lines(contact: Component) -> Iterator[str]:
    for each in contact.properties:
        title = _TITLES.get(each.name)
        value = _value(each)
        if title and value:
            types = _types(each)
            yield f"{title} ({types}): {value}" if types else f"{title}: {value}"


def _value(each: Property) -> str:
    if each.name in _OF_SEVERAL:
        return ", ".join(" ".join(part.split()) for part in each.values() if part)
    return each.text


def _types(each: Property) -> str:
    stated = each.parameters.get("TYPE", "").lower().replace('"', "").split(",")
    return ", ".join(dict.fromkeys(kind for kind in stated if kind and kind not in _UNSAID))
