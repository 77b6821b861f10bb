"""Keeps the scores of formats that were measured in several runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.parsing.corpus.scores import CorpusScore, PartScore

__all__ = ["add_scores"]


def add_scores(file: Path, scores: Sequence[CorpusScore]) -> list[CorpusScore]:
    """Writes scores to a file; they replace the earlier ones of the same format and parser.

    Returns:
        All scores in the file, by format.
    """
    kept = {(one.format, one.parser): one for one in _read(file)}
    kept |= {(one.format, one.parser): one for one in scores}
    result = sorted(kept.values(), key=lambda one: one.format)
    lines = json.dumps([asdict(one) for one in result], indent=1)
    file.write_text(lines + "\n", encoding="utf-8")
    return result


def _read(file: Path) -> list[CorpusScore]:
    if not file.exists():
        return []
    return [
        CorpusScore(**one, parts={name: PartScore(**part) for name, part in parts.items()})
        for one in json.loads(file.read_text(encoding="utf-8"))
        for parts in [one.pop("parts")]
    ]
