"""The corpus has the structure it claims, and cases allow what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.retrieval.corpus import Case, Corpus, make_cases, make_corpus
from benchmarks.retrieval.measurement import load_cases, save_cases


def test_the_same_seed_gives_the_same_corpus(corpus: Corpus) -> None:
    again = make_corpus(chunks=400, questions=2, seed=1)
    assert np.array_equal(again.vectors, corpus.vectors)
    assert not np.array_equal(make_corpus(chunks=400, questions=2, seed=2).vectors, corpus.vectors)


def test_chunks_of_one_object_are_closer_to_each_other_than_to_others(corpus: Corpus) -> None:
    cosines = corpus.vectors @ corpus.vectors.T
    same = np.kron(np.eye(corpus.object_count), np.ones((10, 10))).astype(bool)
    assert cosines[same].min() > cosines[~same].mean()


def test_each_case_allows_its_share_of_the_objects(corpus: Corpus, cases: list[Case]) -> None:
    for case in cases:
        assert len(set(case.allowed.tolist())) == corpus.object_count * case.selectivity


def test_far_objects_rank_behind_all_others(corpus: Corpus, cases: list[Case]) -> None:
    far = [case for case in cases if case.placement == "far" and case.selectivity < 1]
    assert far
    for case in far:
        scores = corpus.vectors @ corpus.questions[case.question]
        closest = scores.reshape(-1, corpus.chunks_per_object).max(axis=1)
        others = np.delete(closest, case.allowed)
        assert closest[case.allowed].max() < others.min()


def test_no_two_cases_share_a_subject(cases: list[Case]) -> None:
    assert len({case.subject for case in cases}) == len(cases)


def test_a_share_of_less_than_one_object_is_left_out(corpus: Corpus) -> None:
    assert not list(make_cases(corpus, [0.01], seed=2))


def test_chunks_that_do_not_divide_into_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 10, not 15"):
        make_corpus(chunks=15, questions=1, seed=1)


def test_files_bring_the_same_corpus_and_cases(
    corpus: Corpus, cases: list[Case], tmp_path: Path
) -> None:
    corpus.save(tmp_path)
    save_cases(cases, tmp_path)
    assert np.array_equal(Corpus.load(tmp_path).questions, corpus.questions)
    for loaded, case in zip(load_cases(tmp_path), cases, strict=True):
        assert loaded.subject == case.subject
        assert np.array_equal(loaded.allowed, case.allowed)
