"""A table on a page of a PDF."""

from __future__ import annotations

from dataclasses import dataclass

from managed_sync.documents.parsing.parsers.pdf.geometry import Box

__all__ = ["Table"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table on a page.

    Attributes:
        rows: The lines of each cell, row by row.
        box: Where it is.
    """

    rows: list[list[list[str]]]
    box: Box
