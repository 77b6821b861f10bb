"""The results, as a table and as a plot."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.chunking.chunkers import LIMIT, OURS, Chunked
from benchmarks.common.tables import markdown_table

__all__ = ["Results", "as_markdown", "draw"]


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    characters: int
    documents: int
    size: int
    overlap: int
    rounds: int
    cores: int
    python: str
    versions: dict[str, str]
    chunkers: tuple[Chunked, ...]

    @classmethod
    def load(cls, file: Path) -> Results:
        """Reads the results in a file."""
        content = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{**content, "chunkers": tuple(Chunked(**row) for row in content["chunkers"])})


def as_markdown(results: Results) -> str:
    """The results as a table, with a line on what was measured."""
    packages = ", ".join(f"{name} {number}" for name, number in sorted(results.versions.items()))
    measured = (
        f"{results.documents:,} documents of {results.characters / 1e6:.1f} million characters, "
        f"{results.chunkers[0].tokens / 1e6:.2f} million tokens; chunks of {results.size} tokens, "
        f"overlap {results.overlap}; best of {results.rounds} rounds in turns, one thread; "
        f"{results.cores} cores, Python {results.python}, {packages}."
    )
    header = [
        "splitter",
        "of the limit",
        "million tokens/s",
        "chunks",
        "tokens a chunk",
        "too large",
        "exact offsets",
        "covered",
    ]
    limit = [LIMIT, "1.00", f"{_speed(results.chunkers[0], limit=True):.2f}", *[""] * 5]
    rows = [
        [
            row.name,
            f"{_share(row):.2f}",
            f"{_speed(row):.2f}",
            f"{row.chunks:,}",
            f"{row.mean_tokens:.0f}",
            f"{row.oversized:,}",
            f"{row.exact:.3f}",
            f"{row.covered:.3f}",
        ]
        for row in sorted(results.chunkers, key=_share, reverse=True)
    ]
    return f"{measured}\n\n{markdown_table(header, [limit, *rows])}"


def draw(results: Results, file: Path) -> None:
    """Draws the results into an SVG file that is the same whenever they are."""
    rows = sorted(results.chunkers, key=_share)
    # Without these two, each run would give other ids and another date.
    with mpl.rc_context({"svg.hashsalt": "chunking", "font.size": 9}):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        axis = figure.subplots()
        colors = ["#0072b2" if row.name == OURS else "#bbbbbb" for row in rows]
        bars = axis.barh([row.name for row in rows], [_share(row) for row in rows], color=colors)
        axis.bar_label(bars, fmt="%.2f", padding=3)
        axis.axvline(1, color="black", linewidth=1)
        axis.set_xlabel(f"Throughput in proportion to {LIMIT}")
        figure.savefig(file, metadata={"Date": None})


def _share(row: Chunked) -> float:
    return row.limit_seconds / row.seconds


def _speed(row: Chunked, *, limit: bool = False) -> float:
    return row.tokens / (row.limit_seconds if limit else row.seconds) / 1e6
