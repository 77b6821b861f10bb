"""The benchmark of hybrid questions, on a small corpus: its answers are those of the definition."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.retrieval.hybrid import run


@pytest.mark.slow
def test_every_answer_is_the_best_of_the_fused_ranking(tmp_path: Path) -> None:
    measured = run(chunks=1000, questions=2, k=6, seed=7, folder=tmp_path)

    assert list(measured) == ["NumPy", "FAISS"]
    points = [point for points in measured.values() for point in points]
    assert {point.selectivity for point in points} == {1.0, 0.1, 0.01}
    assert {point.exact for point in points} == {1.0}
    assert max(point.round_trips for point in points) <= 4
