"""Unusable vectors of an embedding model are refused, in chunks and in questions."""

from __future__ import annotations

import math
from typing import Any

import pytest

from managed_sync.documents.vectors import checked_vectors
from managed_sync.errors import EmbeddingError, IndexingError
from managed_sync.stores.base import checked_question

UNUSABLE = [
    [math.nan, 1.0],
    [math.inf, 1.0],
    [-math.inf, math.inf],
    [1e39, 1.0],
    [-1e200, 1.0],
    [1e308] * 8,
    # Its square is infinite in 32 bits, and so are all its distances.
    [1e20, 1.0],
]


@pytest.mark.parametrize("vector", UNUSABLE)
def test_what_32_bits_cannot_compute_with_is_neither_written_nor_asked(
    vector: list[float],
) -> None:
    with pytest.raises(IndexingError, match="NaN or infinity"):
        checked_vectors([vector], 1)
    with pytest.raises(EmbeddingError, match="no usable vector"):
        checked_question(vector)


@pytest.mark.parametrize("vector", [[], [0.0, 0.0], [1e-200, 0.0], [5e-324, 1e-30]])
def test_what_32_bits_take_for_zero_is_not_written(vector: list[float]) -> None:
    with pytest.raises(IndexingError, match="zeros"):
        checked_vectors([vector], 1)


@pytest.mark.parametrize("vector", [None, [], [None], ["a"], 7])
def test_a_question_needs_a_vector(vector: Any) -> None:
    with pytest.raises(EmbeddingError):
        checked_question(vector)


@pytest.mark.parametrize("vector", [[0.0, 0.0], [1e-9, 0.0], [3e18, 1.0], [1, 0]])
def test_any_other_vector_is_a_question(vector: list[float]) -> None:
    assert checked_question(vector) is vector
