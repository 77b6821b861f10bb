"""The benchmark indexes the same records both ways, and searches them."""

from __future__ import annotations

import pytest

from benchmarks.keywords.__main__ import main


def test_both_ways_are_measured_and_the_index_is_searched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--records", "50"])

    shown = capsys.readouterr().out
    assert "50 chunks of 150 words." in shown
    for row in ("| without |", "| with |", "| a file name |", "| 6 words, 10 objects |"):
        assert row in shown
