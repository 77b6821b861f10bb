"""Damaged files are the same each time, and are counted by what becomes of them."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.parsing.hostile import CHANGES, measure_hostile
from tests.documents.binary_word import make_doc


def test_each_damaged_file_is_a_text_or_one_reason(tmp_path: Path) -> None:
    file = tmp_path / "a.doc"
    file.write_bytes(make_doc([("The crane stands at the quay.\r", b"\0\0")]))

    score = measure_hostile([file], "doc", count=2 * len(CHANGES), timeout=60)

    assert score.files == 2 * len(CHANGES)
    assert score.texts + score.reasons.total() == score.files
    assert (score.crashes, score.ended, score.late, score.unclear) == (0, 0, 0, 0)
    assert score.reasons["<file> is damaged: it is cut short."]


def test_damage_depends_only_on_its_seed() -> None:
    data = b"PK" + bytes(range(256)) * 20
    for change in CHANGES.values():
        assert change(data, random.Random("1 a")) == change(data, random.Random("1 a")) != data
