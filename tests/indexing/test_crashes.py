"""A run that is killed is finished or undone by the next one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.draws import draws

ROOT = Path(__file__).parents[2]
KILLS = draws(4)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork a process")
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_after_a_kill_at_any_moment_the_next_whole_run_makes_what_a_run_from_scratch_makes(
    seed: int,
) -> None:
    program = [sys.executable, "-m", "tests.indexing.crashes", "--seed", str(seed)]
    limit = 60 + 2 * KILLS
    result = subprocess.run(
        [*program, "--kills", str(KILLS // 2), "--seconds", str(limit)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=limit + 60,
        check=False,
    )

    assert result.returncode == 0, result.stderr[-2000:]
