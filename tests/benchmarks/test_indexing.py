"""The contenders do the same work, and what they do is counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.common.pages import DOCS
from benchmarks.indexing.contenders import CONTENDERS, OURS, Measured, main
from benchmarks.indexing.report import as_markdown, load


def measured(
    contender: str, folder: Path, revision: int, capsys: pytest.CaptureFixture[str]
) -> Measured:
    options = ["--records", "200", "--revision", str(revision), "--run", f"revision {revision}"]
    main([contender, str(folder), *options])
    return Measured(**json.loads(capsys.readouterr().out))


@pytest.mark.slow
def test_all_end_with_the_same_texts_and_embed_what_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digests = set()
    for number, contender in enumerate(CONTENDERS):
        folder = tmp_path / str(number)
        folder.mkdir()
        first = measured(contender, folder, 0, capsys)
        again = measured(contender, folder, 0, capsys)
        changed = measured(contender, folder, 1, capsys)

        assert first.embedded == first.chunks >= 200
        assert again.embedded == 0
        assert (again.downloads, changed.downloads) == ((0, 2) if contender == OURS else (200, 200))
        assert changed.embedded == 2
        digests.add((first.digest, changed.digest))

    assert len(digests) == 1


def test_the_page_shows_what_was_measured() -> None:
    results = load(DOCS / "indexing.json")

    assert as_markdown(results) in (DOCS / "indexing.md").read_text(encoding="utf-8")


def test_a_run_without_changes_takes_a_twentieth_at_most_and_memory_does_not_grow() -> None:
    results = load(DOCS / "indexing.json")
    peaks = []
    for records in (10_000, 100_000):
        first = results.of(OURS, records, "first")
        unchanged = results.of(OURS, records, "no change")
        changed = results.of(OURS, records, "1 % changed")
        assert unchanged.seconds <= first.seconds / 20
        assert (unchanged.downloads, unchanged.embedded) == (0, 0)
        assert changed.downloads == records // 100
        assert changed.embedded == first.embedded // 100
        peaks.append(max(first.peak_mb, unchanged.peak_mb, changed.peak_mb))
    assert peaks[1] - peaks[0] < 50
