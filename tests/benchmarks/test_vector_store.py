"""The store is exact, with a filter and without."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.retrieval.corpus import Corpus
from benchmarks.retrieval.vector_store import (
    ExactVectorStore,
    object_id,
    question_text,
    row_of,
)


@pytest.fixture(scope="module")
def store(corpus: Corpus) -> ExactVectorStore:
    return ExactVectorStore(corpus)


def ranking(corpus: Corpus, question: int) -> list[int]:
    scores = corpus.vectors.astype(np.float64) @ corpus.questions[question].astype(np.float64)
    rows: list[int] = np.argsort(-scores).tolist()
    return rows


@pytest.mark.parametrize("k", [1, 10, 400, 1000])
def test_a_search_finds_the_closest_chunks_in_order(
    corpus: Corpus, store: ExactVectorStore, k: int
) -> None:
    found = [row_of(document) for document in store.similarity_search(question_text(1), k=k)]
    assert found == ranking(corpus, 1)[:k]


@pytest.mark.parametrize("numbers", [[], [7], [3, 31, 8], list(range(1, 40))])
def test_a_filter_comes_before_the_search(
    corpus: Corpus, store: ExactVectorStore, numbers: list[int]
) -> None:
    found = store.similarity_search(
        question_text(0), k=12, object_ids=[object_id(number) for number in numbers]
    )
    expected = [row for row in ranking(corpus, 0) if row // 10 in numbers]
    assert [row_of(document) for document in found] == expected[:12]


def test_objects_that_it_does_not_hold_are_passed_over(store: ExactVectorStore) -> None:
    assert store.similarity_search(question_text(0), object_ids=["file:4000", "deal:1"]) == []
