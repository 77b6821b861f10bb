"""The table of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.common.tables import markdown_table

__all__ = ["as_markdown"]


def as_markdown(seconds: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Returns the medians of each workload, before and after, and the median of their ratios.

    Args:
        seconds: For each workload, the seconds of each turn, before and after.
    """
    header = ("workload", "before, ms", "after, ms", "after / before")
    rows = [
        (
            name,
            f"{median(before for before, _ in turns) * 1000:.1f}",
            f"{median(after for _, after in turns) * 1000:.1f}",
            f"{median(after / before for before, after in turns):.3f}",
        )
        for name, turns in seconds.items()
    ]
    return markdown_table(header, rows, align="l")
