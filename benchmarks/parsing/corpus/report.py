"""Writes the scores as tables."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.common.tables import markdown_table
from benchmarks.parsing.corpus.scores import CorpusScore, Worst

__all__ = ["corpus_tables", "worst_table"]

_HEADER = (
    "format", "parser", "read", "of", "apart", "recall, median", "recall, all words",
    "under 0.9", "made up", "order", "rows", "headings", "s/MB", "peak MB",
)  # fmt: skip


def corpus_tables(scores: Sequence[CorpusScore]) -> str:
    """Returns a table of the formats, and one of the parts of each format."""
    tables = [markdown_table(_HEADER, [_row(score) for score in scores], align="ll")]
    for kind in dict.fromkeys(score.format for score in scores):
        group = [score for score in scores if score.format == kind]
        names = dict.fromkeys(part for score in group for part in score.parts)
        if not names:
            continue
        header = [f"parts of {kind}", "files", *(score.parser for score in group)]
        rows = [
            [name, str(max(_files(score, name) for score in group)), *_cells(group, name)]
            for name in names
        ]
        tables.append(markdown_table(header, rows))
    return "\n\n".join(tables)


def worst_table(worst: Sequence[Worst]) -> str:
    """Returns a table of the files that keep least."""
    rows = [
        [one.format, one.parser, one.path, _share(one.recall) or "not read", one.reason]
        for one in worst
    ]
    return markdown_table(["format", "parser", "file", "recall", "lost"], rows, align="lllrl")


def _files(score: CorpusScore, part: str) -> int:
    return score.parts[part].files if part in score.parts else 0


def _cells(scores: Sequence[CorpusScore], part: str) -> list[str]:
    cells = []
    for score in scores:
        one = score.parts.get(part)
        cells.append(f"{one.recall:.3f} ({one.losing})" if one else "")
    return cells


def _row(score: CorpusScore) -> list[str]:
    ended = [f"{count} {name}" for count, name in (
        (score.hangs, "hang"), (score.crashes, "crash")) if count]  # fmt: skip
    speed, memory = score.seconds_per_megabyte, score.peak_megabytes
    return [
        score.format,
        score.parser,
        f"{score.read} ({', '.join(ended)})" if ended else str(score.read),
        str(score.files),
        str(score.apart),
        _share(score.recall_median),
        _share(score.recall),
        _share(score.under),
        _share(score.made_up),
        _share(score.order),
        _share(score.rows),
        _share(score.headings),
        "" if speed is None else f"{speed:.2f}",
        "" if memory is None else f"{memory:.0f}",
    ]


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
