"""The table of what each part of a retrieval contributes."""

from __future__ import annotations

from benchmarks.answers.report import as_markdown, results_of
from managed_sync.evaluation import Evaluation, EvaluationQuestion, Outcome


def outcome(setting: str, split: str, rank: int | None) -> Outcome:
    question = EvaluationQuestion("Which?", split=split)
    return Outcome(question, "ann@x.example", setting, (rank,), 6, 0, 0.01)


def test_each_half_has_a_row_for_each_setting_with_intervals() -> None:
    outcomes = [
        outcome(setting, split, rank)
        for setting, rank in (("static", 4), ("fused", 1))
        for split in ("tune", "report")
    ]
    table = as_markdown(results_of(Evaluation(tuple(outcomes)), chunks=556))
    zero, one = "0.00 (0.00 to 0.00)", "1.00 (1.00 to 1.00)"
    assert table.count(f"| static | {zero} | {zero} | {one} | 0.25 | 1.00 | 0 |") == 2
    assert table.count(f"| fused | {one} | {one} | {one} | 1.00 | 1.00 | 0 |") == 2
    assert table.index("Tune half") < table.index("Report half")
