"""Tests the comparison of texts with the truth, and the run over a folder of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.parsing.__main__ import main
from benchmarks.parsing.corpus.files import evenly, files_of
from benchmarks.parsing.corpus.measures import Share, measure
from benchmarks.parsing.corpus.record import add_scores
from benchmarks.parsing.corpus.report import corpus_tables
from benchmarks.parsing.corpus.runs import Apart, FileResult
from benchmarks.parsing.corpus.scores import CorpusScore, scores, worst_files
from benchmarks.parsing.corpus.workers import Failure, Worker
from benchmarks.parsing.truth.model import Covered, Items, Row, Truth, words


def test_words_are_compared_without_marks_of_layout() -> None:
    assert words("The \ufb01rst pi\u00ader: 1,200 km\u00b2") == [
        "the",
        "first",
        "pier",
        "1200",
        "km2",
    ]
    assert words("渡船") == ["渡", "船"]
    assert words(r"\alpha + β") == words("α + β")


def test_lost_and_invented_words_are_told_apart() -> None:
    truth = Truth({"text": ["one two two three"]})
    measured = measure("two three three four", truth)
    assert measured.recall == Share(2, 4)
    assert measured.made_up == Share(2, 4)


def test_a_word_that_a_line_break_splits_is_one() -> None:
    truth = Truth({"text": ["the har-\nbor"]})
    assert measure("the harbor", truth).recall.value == 1.0


def test_one_of_several_ways_to_write_is_enough() -> None:
    truth = Truth({"cells": [("0.125", "12.5%")]})
    assert [measure(text, truth).recall.value for text in ("12.5 %", "0.125")] == [1.0, 1.0]
    assert measure("13 %", truth).recall.kept == 0


def test_parts_that_are_not_counted_are_still_measured() -> None:
    truth = Truth({"text": ["a b"], "hidden": ["c"]}, uncounted=frozenset({"hidden"}))
    measured = measure("a b", truth)
    assert measured.recall.value == 1.0
    assert measured.parts["hidden"].value == 0.0
    assert measure("a b c", truth).made_up.kept == 0


def test_a_part_without_words_of_its_own_is_served_last() -> None:
    truth = Truth({"body": ["pier nine"], "footnotes": ["pier"]})
    assert measure("pier nine", truth).parts["footnotes"].value == 0.0
    assert measure("pier nine pier", truth).parts["footnotes"].value == 1.0


def test_blank_cells_of_a_sheet_may_be_left_out_but_no_other() -> None:
    rows: list[Row] = [((), ("pier",), (), ("nine",))]
    for text, kept in {
        "| pier | nine |": 1,
        "|  | pier |  | nine |": 1,
        "| pier | nine |  |": 1,
        "| nine | pier |": 0,
        "| pier |": 0,
        "| pier | nine | more |": 0,
    }.items():
        assert measure(text, Truth(rows=rows)).rows.kept == kept, text


def test_a_covered_cell_of_a_sheet_may_be_blank_or_repeated_or_left_out() -> None:
    rows: list[Row] = [(("pier",), Covered(("", "pier")), ("nine",))]
    for text, kept in {
        "| pier | nine |": 1,
        "| pier |  | nine |": 1,
        "| pier | pier | nine |": 1,
        "| pier | other | nine |": 0,
        "| pier |  |": 0,
    }.items():
        assert measure(text, Truth(rows=rows)).rows.kept == kept, text


def test_numbers_of_list_items_targets_and_marks_of_notes_are_no_text_of_a_cell() -> None:
    rows: list[Row] = [((Items("tie up\nwait"),), ("nine",))]
    for text, kept in {
        "| tie up wait | nine |": 1,
        "| 1. tie up 2. wait | nine |": 1,
        "| 2.1. tie up 2.2. wait[^3] | [nine](https://a.b/c) |": 1,
        "| tie up | nine |": 0,
        "| 1. wait 2. tie up | nine |": 0,
    }.items():
        assert measure(text, Truth(rows=rows)).rows.kept == kept, text
    plain: list[Row] = [(("tie up wait",), ("nine",))]
    assert measure("| 1. tie up 2. wait | nine |", Truth(rows=plain)).rows.kept == 0


def test_rows_without_words_are_not_measured() -> None:
    rows: list[Row] = [(("pier",), ("nine",)), (("%",), ("\u20ac",))]
    assert measure("| pier | nine |", Truth(rows=rows)).rows == Share(1, 1)


def test_the_way_to_write_counts_whose_words_stand_together() -> None:
    truth = Truth({"numbers": [("2.1", "2.10"), "1"]})
    assert measure("| 2.10 | 1 |", truth).recall == Share(3, 3)
    assert measure("| 2.1 | 1 |", truth).recall == Share(3, 3)


def test_order_is_that_of_words_which_are_there_once() -> None:
    truth = Truth({"text": ["a b c d"]}, flow=["a b", "c d"])
    assert measure("a b c d", truth).order.value == 1.0
    assert measure("c d a b", truth).order.value == 0.5


def test_the_share_of_files_and_the_worst_ones_are_summed_up() -> None:
    truth = Truth({"text": ["a b c d"]})
    results = [
        FileResult("eml", "default", "whole", 10**6, measure("a b c d", truth), seconds=2.0),
        FileResult("eml", "default", "half", 10**6, measure("a b", truth), seconds=1.0),
        FileResult("eml", "default", "slow", 10, failure=Failure("hang", "slow")),
    ]
    (score,) = scores(results, [Apart("eml", "cut", "damaged")])
    assert (score.files, score.read, score.apart, score.hangs) == (3, 2, 1, 1)
    assert (score.recall_median, score.recall, score.under) == (0.75, 0.75, 0.5)
    assert score.seconds_per_megabyte == 1.5
    assert score.parts["text"].losing == 1
    assert [one.path for one in worst_files(results, 2)] == ["slow", "half"]
    assert "| eml | default | 2 (1 hang) | 3 | 1 | 0.750 |" in corpus_tables([score])


def test_scores_of_several_runs_are_kept_together(tmp_path: Path) -> None:
    def score(kind: str, text: str) -> CorpusScore:
        measured = measure(text, Truth({"text": ["a b"]}))
        (one,) = scores([FileResult(kind, "default", "a", 1, measured)], [])
        return one

    file = tmp_path / "scores.json"
    add_scores(file, [score("eml", "a"), score("docx", "a b")])
    kept = add_scores(file, [score("eml", "a b")])
    assert kept == [score("docx", "a b"), score("eml", "a b")]


def test_files_are_found_by_the_ends_of_their_names_and_spread(tmp_path: Path) -> None:
    for name in ("a.DOCM", "b.docx", "c/d.dotx", "e.bin", "f.docx"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "empty.docx").touch()
    found = files_of(tmp_path)["docx"]
    assert [path.name for path in found] == ["a.DOCM", "b.docx", "d.dotx", "f.docx"]
    assert [path.name for path in evenly(found, 2)] == ["a.DOCM", "d.dotx"]


def test_a_parser_that_hangs_or_ends_its_process_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.eml"
    file.write_bytes(b"Subject: a\n\nb")
    worker = Worker("default", seconds=0.0)
    try:
        answer = worker(file, "eml")
        assert isinstance(answer, Failure)
        assert answer.kind == "hang"
    finally:
        worker.end()


def test_the_command_measures_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.eml").write_bytes(b"Subject: Ferry\nFrom: a@b.example\n\nIt leaves at nine.\n")
    (tmp_path / "b.eml").write_bytes(b"no mail")
    main(["--corpus", str(tmp_path), "--format", "eml", "--parser", "default", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert figures["scores"][0]["recall"] == 1.0
    assert figures["scores"][0]["read"] == 1
    assert [one["path"] for one in figures["apart"]] == ["b.eml"]
