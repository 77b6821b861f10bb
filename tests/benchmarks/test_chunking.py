"""The benchmark of chunking runs in full on a tiny corpus, and the page shows what was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.chunking.__main__ import main
from benchmarks.chunking.chunkers import OURS
from benchmarks.chunking.measurement import run
from benchmarks.chunking.report import Results, as_markdown, draw
from benchmarks.common.pages import DOCS, save

TEXT = "# Plan\n\n" + "One sentence follows the other, and another one. " * 40


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    file = tmp_path_factory.mktemp("prose") / "prose.json"
    file.write_text(json.dumps([TEXT, TEXT.replace("Plan", "Plän")]), encoding="utf-8")
    return run(file, size=64, overlap=8, rounds=1, with_peers=False)


@pytest.mark.slow
def test_our_chunks_are_exact_and_cover_everything(results: Results) -> None:
    (ours,) = (row for row in results.chunkers if row.name == OURS)
    assert (ours.oversized, ours.exact, ours.covered) == (0, 1, 1)
    assert ours.chunks > 10
    assert ours.tokens == results.chunkers[-1].tokens > 700


@pytest.mark.slow
def test_results_survive_a_file_and_are_drawn_the_same(results: Results, tmp_path: Path) -> None:
    save(results, tmp_path / "chunking.json")
    assert Results.load(tmp_path / "chunking.json") == results
    for name in ("first.svg", "second.svg"):
        draw(results, tmp_path / name)
    first = (tmp_path / "first.svg").read_text(encoding="utf-8")
    assert first == (tmp_path / "second.svg").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_table_has_a_row_for_each_chunker(results: Results) -> None:
    for row in results.chunkers:
        assert f"\n| {row.name} | " in as_markdown(results)


def test_sizes_that_make_no_sense_are_one_clear_message(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--size", "8", "--overlap", "8"])
    assert "size must be more than overlap" in capsys.readouterr().err


def test_the_page_shows_what_was_measured() -> None:
    page = (DOCS / "chunking.md").read_text(encoding="utf-8")
    assert as_markdown(Results.load(DOCS / "chunking.json")) in page
