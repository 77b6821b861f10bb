"""The results as figures and as a table."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.common.tables import markdown_table
from managed_sync.evaluation import Evaluation

__all__ = ["Results", "Row", "as_markdown", "results_of"]

_SPLITS = ("tune", "report")
_CUTOFFS = (1, 3, 6)


@dataclass(frozen=True)
class Row:
    """The figures of one setting on one half of the questions."""

    setting: str
    split: str
    asked: int
    hits: tuple[float, ...]
    intervals: tuple[tuple[float, float], ...]
    mrr: float
    recall: float
    leaks: int


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    chunks: int
    rows: tuple[Row, ...]


def results_of(evaluation: Evaluation, chunks: int) -> Results:
    """Returns the figures of an evaluation, by setting and split."""
    rows = []
    for split in _SPLITS:
        for setting in evaluation.figures_by("setting"):
            part = evaluation.only(setting=setting, split=split)
            figures = part.figures()
            rows.append(
                Row(
                    setting,
                    split,
                    figures.counted,
                    tuple(hit or 0.0 for hit in figures.hits),
                    tuple(part.hit_interval(cutoff) or (0.0, 0.0) for cutoff in _CUTOFFS),
                    figures.mrr or 0.0,
                    figures.recall or 0.0,
                    figures.unauthorized,
                )
            )
    return Results(chunks, tuple(rows))


def as_markdown(results: Results) -> str:
    """Returns a table for each half of the questions."""
    header = ["setting", "hit@1", "hit@3", "hit@6", "MRR", "recall", "leaks"]
    parts = [f"{results.chunks:,} chunks; 95 percent confidence intervals over questions."]
    for split in _SPLITS:
        own = [row for row in results.rows if row.split == split]
        table = markdown_table(header, map(_cells, own))
        parts.append(f"**{split.capitalize()} half**, {own[0].asked} questions of users\n\n{table}")
    return "\n\n".join(parts)


def _cells(row: Row) -> list[str]:
    hits = [
        f"{hit:.2f} ({low:.2f} to {high:.2f})"
        for hit, (low, high) in zip(row.hits, row.intervals, strict=True)
    ]
    numbers = [f"{row.mrr:.2f}", f"{row.recall:.2f}", str(row.leaks)]
    return [row.setting, *hits, *numbers]
