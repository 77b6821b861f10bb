"""Two checkouts are compared turn by turn."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

import managed_sync
from benchmarks.compare.__main__ import main
from benchmarks.compare.report import as_markdown
from benchmarks.compare.workload import WORKLOADS, answer


@pytest.mark.slow
def test_every_workload_runs_with_this_package() -> None:
    questions, answers = io.StringIO("\n".join(["package", *WORKLOADS])), io.StringIO()

    answer(questions, answers)

    package, *seconds = answers.getvalue().splitlines()
    assert package == managed_sync.__file__
    assert len(seconds) == len(WORKLOADS)
    assert all(float(each) > 0 for each in seconds)


def test_turns_are_compared_with_each_other() -> None:
    # The machine was busy in the second turn, for both alike.
    table = as_markdown({"chunking": [(0.1, 0.12), (0.3, 0.36), (0.1, 0.12)]})

    assert table.splitlines()[-1] == "| chunking | 100.0 | 120.0 | 1.200 |"


def test_a_folder_without_the_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="has no src/managed_sync"):
        main([str(tmp_path), str(tmp_path)])
