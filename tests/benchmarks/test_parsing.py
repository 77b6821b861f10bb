"""Tests the comparison of a file's structure, and the page with the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.loading.mixed_files import write_mixed_files
from benchmarks.loading.report import Measured, Results, as_markdown
from benchmarks.parsing.structure import Truth, kept, sample_files

TRUTH = Truth(
    headings=[("Plan",), ("Plan", "Steps")],
    rows=[("City", "Limit"), ("Oslo", "200")],
    items=["gloves"],
    texts=["Plan", "Steps", "gloves", "City", "Limit", "Oslo", "200"],
    pages=1,
)
WHOLE = "# Plan\n\n## Steps\n\n- gloves\n\n| City | Limit |\n| --- | --- |\n| Oslo | 200.0 |\n"


def test_everything_kept_is_one_in_every_column() -> None:
    scores = kept(WHOLE.replace("200.0", "200"), TRUTH)
    assert {scores.headings, scores.rows, scores.items, scores.pages, scores.order} == {1.0}


def test_numbers_are_compared_as_numbers() -> None:
    assert kept(WHOLE, TRUTH).rows == 1.0


def test_what_is_lost_or_made_up_counts_against_a_parser() -> None:
    scores = kept(WHOLE.replace("- gloves", "### gloves").replace("## Steps", "Steps"), TRUTH)
    assert scores.headings == 0.5
    assert scores.items == 0.0
    backwards = "200 Oslo Limit City gloves Steps Plan"
    assert kept(backwards, TRUTH).words == 1.0
    assert (kept(backwards, TRUTH).order or 0) < 0.3


def test_every_format_of_the_sample_company_has_a_truth() -> None:
    found = {kind: truth for kind, _, truth in sample_files()}
    assert set(found) == {"docx", "pptx", "xlsx", "pdf", "html"}
    assert all(truth.headings and truth.texts for truth in found.values())


def test_mixed_files_hold_the_prose_of_the_pages(tmp_path: Path) -> None:
    manual = tmp_path / "manual"
    manual.mkdir()
    for number in range(20):
        page = f"<h1>Part {number}</h1>" + "<p>The arm lifts forty kilograms.</p>" * 30
        (manual / f"{number:02}.html").write_text(page, encoding="utf-8")
    assert write_mixed_files(manual, tmp_path / "company", 20) > 20 * 900
    kinds = {path.suffix for path in (tmp_path / "company" / "files").iterdir()}
    assert kinds == {".docx", ".pdf", ".html", ".md", ".txt", ".pptx", ".xlsx", ".csv"}
    with pytest.raises(ValueError, match="fewer than 21"):
        write_mixed_files(manual, tmp_path / "more", 21)


def test_the_page_says_how_loading_compares() -> None:
    measured = Measured(files=8, seconds=2.0, peak_megabytes=100.0, documents=8)
    results = Results(
        files=8,
        prose_characters=1000,
        rounds=1,
        cores=2,
        python="3.11",
        download=measured,
        parse=measured,
        load=measured,
        load_quarter=measured,
        ratio=1.02,
        memory_ratio=1.1,
    )
    page = as_markdown(results)
    assert "| loading | 8 | 8 | 2.0 | 4 | 100 |" in page
    assert "**1.02**" in page
