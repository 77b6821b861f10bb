"""The settings of MMR: the number of passages to choose among, and by which vectors."""

from __future__ import annotations

import math
from typing import Any

import pytest

from managed_sync.errors import EmbeddingError
from managed_sync.retrieval.diversity import Diversity, comparable_vectors


@pytest.mark.parametrize(
    ("diversity", "candidates"),
    [
        (Diversity(), 12),
        (Diversity(factor=1.5), 5),
        (Diversity(factor=0.1), 3),
        (Diversity(pool=20), 20),
        (Diversity(pool=2), 3),
    ],
)
def test_there_are_at_least_as_many_candidates_as_passages(
    diversity: Diversity, candidates: int
) -> None:
    assert diversity.candidates(3) == candidates


@pytest.mark.parametrize(
    "vectors",
    [
        None,
        [],
        [[1.0, 0.0]],
        [[1.0, 0.0]] * 3,
        [[0.0, 0.0]] * 2,
        [[1.0, 0.0], [math.nan, 0.0]],
        [[1.0, 0.0], [1.0]],
        [[1.0]] * 2,
        [["a", "b"]] * 2,
        7,
    ],
)
def test_passages_are_not_chosen_by_vectors_that_cannot_be_compared(vectors: Any) -> None:
    with pytest.raises(EmbeddingError, match="MMR cannot choose"):
        comparable_vectors(vectors, 2, question=[1.0, 0.0])
