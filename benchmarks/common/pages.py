"""The pages and the figures in ``docs/benchmarks``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.common.processes import ROOT

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["DOCS", "save", "update_page"]

DOCS = ROOT / "docs" / "benchmarks"
_BEGIN = "<!-- measured: begin -->"
_END = "<!-- measured: end -->"


def save(results: DataclassInstance, file: Path) -> None:
    """Writes results as JSON."""
    file.write_text(json.dumps(asdict(results), indent=1) + "\n", encoding="utf-8")


def update_page(page: Path, markdown: str) -> None:
    """Puts the tables between the two marks of a page.

    Raises:
        ValueError: The page does not have the marks.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"{page} needs the marks {_BEGIN} and {_END}, in this order")
    page.write_text(f"{before}{begin}\n{markdown}\n{end}{after}", encoding="utf-8")
