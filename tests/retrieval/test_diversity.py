"""The settings of MMR: the number of passages to choose among."""

from __future__ import annotations

import pytest

from managed_sync.retrieval.diversity import Diversity


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
