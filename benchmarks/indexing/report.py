"""The results, and their tables."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.common.tables import markdown_table
from benchmarks.indexing.contenders import CONTENDERS, Measured

__all__ = ["RUNS", "Results", "as_markdown", "beside", "load"]

RUNS = {"first": 0, "no change": 0, "1 % changed": 1}


@dataclass(frozen=True)
class Results:
    """All measurements, and the machine and versions that they were made with."""

    cores: int
    python: str
    versions: dict[str, str]
    measured: tuple[Measured, ...]

    def of(self, contender: str, records: int, run: str) -> Measured:
        """One measurement."""
        wanted = (contender, records, run)
        return next(one for one in self.measured if (one.contender, one.records, one.run) == wanted)


def load(path: Path) -> Results:
    """Reads results that were kept."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Results(**{**content, "measured": tuple(Measured(**one) for one in content["measured"])})


def beside(kept: Results, new: Results) -> Results:
    """New results, beside those of other numbers of records that were measured alike."""
    if replace(kept, measured=()) != replace(new, measured=()):
        return new
    sizes = {one.records for one in new.measured}
    others = [one for one in kept.measured if one.records not in sizes]
    order = sorted([*others, *new.measured], key=lambda one: one.records)
    return replace(new, measured=tuple(order))


def as_markdown(results: Results) -> str:
    """All tables, with a line on what was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    header = ["records", "contender", "run", "seconds", "peak MB", "downloads", "embedded"]
    rows = [
        [
            f"{one.records:,}",
            one.contender,
            one.run,
            f"{one.seconds:.1f}",
            f"{one.peak_mb:.0f}",
            f"{one.downloads:,}",
            f"{one.embedded:,}",
        ]
        for one in results.measured
    ]
    return "\n\n".join(
        [
            f"{results.cores} cores, Python {results.python}, {versions}.",
            markdown_table(header, rows, align="rll"),
            "**In proportion**: seconds to those of the same contender's first run, and the most "
            "memory that any of the three took.",
            _proportions(results),
        ]
    )


def _proportions(results: Results) -> str:
    header = ["contender", "records", "no change / first", "1 % / first", "peak MB of all three"]
    rows = []
    firsts = [one for one in results.measured if one.run == "first"]
    for first in sorted(firsts, key=lambda one: list(CONTENDERS).index(one.contender)):
        runs = {run: results.of(first.contender, first.records, run) for run in RUNS}
        shares = [runs[run].seconds / first.seconds for run in ("no change", "1 % changed")]
        peak = max(one.peak_mb for one in runs.values())
        cells = [f"{share:.3f}" for share in shares]
        rows.append([first.contender, f"{first.records:,}", *cells, f"{peak:.0f}"])
    return markdown_table(header, rows)
