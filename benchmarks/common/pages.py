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


def save(results: DataclassInstance, file: Path) -> None:
    """Writes results as JSON."""
    file.write_text(json.dumps(asdict(results), indent=1) + "\n", encoding="utf-8")


def update_page(page: Path, markdown: str, *, section: str = "measured") -> None:
    """Puts the tables between the two marks of a page.

    Args:
        page: The page.
        markdown: The tables.
        section: The name in the marks.

    Raises:
        ValueError: The page does not have the marks.
    """
    first, last = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"{page} needs the marks {first} and {last}, in this order")
    page.write_text(f"{before}{begin}\n{markdown}\n{end}{after}", encoding="utf-8")
