"""A corpus small enough to be answered by hand, or nearly."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from benchmarks.retrieval.corpus import Case, Corpus, make_cases, make_corpus

SELECTIVITIES = (1.0, 0.1, 0.025)


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    return make_corpus(chunks=400, questions=2, seed=1)


@pytest.fixture(scope="session")
def cases(corpus: Corpus) -> list[Case]:
    return list(make_cases(corpus, SELECTIVITIES, seed=2))


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Benchmarks switch logging off for their process, which here is that of all tests."""
    yield
    logging.disable(logging.NOTSET)
