"""The results, and their tables."""

from __future__ import annotations

from dataclasses import dataclass, fields

from benchmarks.common.tables import markdown_table
from benchmarks.parsing.structure import Kept

__all__ = ["Manual", "Results", "Score", "as_markdown"]


@dataclass(frozen=True)
class Score:
    """One parser on all files of one format.

    Attributes:
        files: How many files there are.
        kept: The mean over the files of what was kept.
        files_per_second: On one core.
    """

    format: str
    parser: str
    files: int
    kept: Kept
    files_per_second: float


@dataclass(frozen=True)
class Manual:
    """One parser on the web pages of a manual, on one core."""

    parser: str
    pages: int
    pages_per_second: float
    megabytes_per_second: float


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    scores: tuple[Score, ...]
    manual: tuple[Manual, ...]


def as_markdown(results: Results) -> str:
    """The results as tables."""
    names = [one.name for one in fields(Kept)]
    rows = []
    for score in results.scores:
        shares = (getattr(score.kept, name) for name in names)
        cells = ["" if share is None else f"{share:.2f}" for share in shares]
        speed = f"{score.files_per_second:,.0f}"
        rows.append([score.format, str(score.files), score.parser, *cells, speed])
    tables = [markdown_table(["format", "files", "parser", *names, "files/s"], rows, align="lrl")]
    if results.manual:
        pages = [
            [
                one.parser,
                f"{one.pages:,}",
                f"{one.pages_per_second:,.0f}",
                f"{one.megabytes_per_second:.1f}",
            ]
            for one in results.manual
        ]
        tables.append(markdown_table(["manual", "pages", "pages/s", "MB/s"], pages))
    return "\n\n".join(tables)
