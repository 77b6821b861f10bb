"""Reads frames, shapes and charts in OpenDocument slides and sheets."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import join_blocks, paragraph
from managed_sync.documents.parsing.parsers.office.odf_blocks import body_blocks, body_text
from managed_sync.documents.parsing.parsers.office.odf_document import OpenDocument

__all__ = ["DrawingReader"]

_DESCRIPTIONS = {"svg-compatible:title", "svg-compatible:desc"}
_TITLES = {"chart:title", "chart:subtitle"}


class DrawingReader:
    """Reads the drawings of a file.

    Args:
        document: The file.
        with_values: Adds the values of charts. A workbook has them in its cells.
    """

    def __init__(self, document: OpenDocument, *, with_values: bool) -> None:
        self._document = document
        self._with_values = with_values

    def blocks(self, shape: Element) -> Iterator[str]:
        """Yields the text of a frame, a shape or a group, and what describes it."""
        yield join_blocks(body_blocks(shape))
        descriptions = [child.text or "" for child in shape if child.tag in _DESCRIPTIONS]
        yield paragraph("\n".join(dict.fromkeys(text for text in descriptions if text.strip())))
        for child in shape:
            match child.tag:
                case "drawing:object":
                    yield from self._object(child)
                case tag if tag.startswith("drawing:"):
                    yield from self.blocks(child)

    def _object(self, element: Element) -> Iterator[str]:
        """Yields the titles and values of an embedded chart."""
        folder = posixpath.normpath(element.get("xlink:href", "")).lstrip("/")
        root = self._document.embedded(folder)
        if root is None:
            return
        for chart in root.iter("chart:chart"):
            for title in chart.iter():
                if title.tag in _TITLES:
                    yield paragraph(body_text(title))
            if self._with_values:
                yield from body_blocks(chart)
