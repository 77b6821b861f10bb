"""The benchmark runs in full on a tiny corpus, and the page shows what was measured."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.common.pages import DOCS, save, update_page
from benchmarks.retrieval import plot, tables
from benchmarks.retrieval.__main__ import main, run
from benchmarks.retrieval.contenders import OURS
from benchmarks.retrieval.results import Results


@pytest.fixture(scope="module")
def results() -> Results:
    return run(
        chunks=1000,
        questions=2,
        latencies_ms=(0, 1),
        with_peers=False,
        console=Console(file=io.StringIO()),
    )


@pytest.mark.slow
def test_this_package_finds_everything_allowed_and_nothing_else(results: Results) -> None:
    ours = [point for point in results.points if point.contender.startswith(OURS)]
    assert {point.selectivity for point in ours} == {1.0, 0.1, 0.01}
    assert {point.placement for point in ours} == {"spread", "far"}
    assert all(point.lowest_recall == 1 and point.leaks == 0 for point in ours)
    assert not results.failures


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--chunks", "15"], "chunks must be a positive multiple of 10, not 15"),
        (["--questions", "0"], "questions must be at least 1, not 0"),
        (["--k", "0"], "k must be at least 1"),
        (["--latencies", "-1"], "latencies 0 or more"),
    ],
)
def test_a_number_that_makes_no_sense_is_one_clear_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--without-peers", *arguments])
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_results_survive_a_file(results: Results, tmp_path: Path) -> None:
    file = tmp_path / "retrieval.json"
    save(results, file)
    assert Results.load(file) == results


@pytest.mark.slow
def test_the_tables_have_a_row_for_each_contender(results: Results) -> None:
    text = tables.as_markdown(results)
    for name in {point.contender for point in results.points}:
        assert f"\n| {name} | " in text


@pytest.mark.slow
def test_the_plot_is_the_same_whenever_the_results_are(results: Results, tmp_path: Path) -> None:
    for name in ("first.svg", "second.svg"):
        plot.draw(results, tmp_path / name)
    first = (tmp_path / "first.svg").read_text(encoding="utf-8")
    assert first == (tmp_path / "second.svg").read_text(encoding="utf-8")
    assert "Selectivity" in first


@pytest.mark.slow
def test_a_page_without_marks_is_refused(results: Results, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Nothing to fill in\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"page\.md needs the marks"):
        update_page(page, tables.as_markdown(results))


def test_the_page_shows_what_was_measured() -> None:
    page = (DOCS / "retrieval.md").read_text(encoding="utf-8")
    assert tables.as_markdown(Results.load(DOCS / "retrieval.json")) in page
