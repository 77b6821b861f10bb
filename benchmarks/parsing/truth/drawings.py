"""Reads what the drawings of Office files hold: charts and SmartArt."""

from __future__ import annotations

from typing import Any

from benchmarks.parsing.truth.model import DamagedFileError, Truth
from benchmarks.parsing.truth.xml import Archive, local

__all__ = ["add_drawings", "drawing_text"]

_KINDS = {"chart": "charts", "chartEx": "charts", "diagramData": "SmartArt"}


def add_drawings(truth: Truth, archive: Archive, kind: str, name: str) -> None:
    """Adds the text of a chart or of SmartArt, if the member is one.

    Args:
        truth: The truth that it is added to.
        archive: The file.
        kind: The kind of the relation to the member.
        name: The member.
    """
    part = _KINDS.get(kind)
    if not part or name not in archive:
        return
    try:
        root = archive.xml(name)
    except DamagedFileError:
        return
    if part == "charts":
        for element in root.iter("{*}v", "{*}p"):
            text = element.text or "" if local(element) == "v" else drawing_text(element)
            truth.add(part, _number_ways(text))
    else:
        for paragraph in root.iter("{*}p"):
            truth.add(part, drawing_text(paragraph))


def drawing_text(paragraph: Any) -> str:
    """Returns the text of a paragraph of DrawingML."""
    texts = []
    for element in paragraph.iter("{*}t", "{*}br", "{*}tab"):
        texts.append(element.text or "" if local(element) == "t" else " ")
    return "".join(texts)


def _number_ways(text: str) -> str | tuple[str, ...]:
    try:
        number = float(text)
    except ValueError:
        return text
    return (text, f"{number:g}", f"{number:.2f}", f"{number:.1f}", f"{number:.0f}")
