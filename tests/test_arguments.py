"""One mistake has one message, whichever class it is made with."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from managed_sync import AccessChecker, AsyncManagedSyncClient, IndexSync, ManagedSyncClient
from managed_sync.arguments import check_integer, check_number, check_text
from managed_sync.documents import Chunker, DocumentLoader
from managed_sync.errors import ConfigurationError
from managed_sync.indexing import Retries
from tests.support.index_target import Target

CLIENT = ManagedSyncClient("p1", "t")


@pytest.mark.parametrize("value", [1, 7, np.int64(3)])
def test_an_integer_is_returned_as_one(value: int) -> None:
    assert type(check_integer("k", value)) is int
    assert check_integer("k", value) == value


@pytest.mark.parametrize("value", [0, -1, True, 1.0, "1", None, math.nan])
def test_anything_else_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_integer("k", value)

    assert str(caught.value) == f"k must be an integer >= 1, got {value!r}."


def test_an_integer_above_another_argument_names_that_one() -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_integer("k", 11, at_most=10, limit="max_candidates")

    assert str(caught.value) == "k must be an integer <= max_candidates (10), got 11."


@pytest.mark.parametrize("value", [0, 0.5, 7, Fraction(1, 2), np.float64(2)])
def test_a_number_is_returned_as_a_float(value: float) -> None:
    assert type(check_number("wait", value)) is float
    assert check_number("wait", value) == value


@pytest.mark.parametrize("value", [-1, -0.1, True, "1", None, math.nan])
def test_no_number_and_a_negative_one_are_refused(value: object) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_number("wait", value, unit="seconds")

    assert str(caught.value) == f"wait must be a number of seconds >= 0, got {value!r}."


def test_zero_infinity_and_upper_bounds_are_refused_where_they_make_no_sense() -> None:
    assert check_number("wait", math.inf, is_finite=False) == math.inf
    with pytest.raises(ConfigurationError, match=r"wait must be a finite number >= 0, got inf\."):
        check_number("wait", math.inf)
    with pytest.raises(ConfigurationError, match=r"rate must be a number > 0 or None, got 0\."):
        check_number("rate", 0, is_positive=True, alternative="None")
    with pytest.raises(ConfigurationError, match=r"share must be a number >= 0 and <= 1, got 2\."):
        check_number("share", 2, at_most=1)


@pytest.mark.parametrize("value", ["", " ", 7, None])
def test_a_name_must_be_a_string_with_something_in_it(value: object) -> None:
    assert check_text("relation", "viewer", example="viewer") == "viewer"
    with pytest.raises(ConfigurationError) as caught:
        check_text("relation", value, example="viewer")

    assert str(caught.value) == (
        f"relation must be a non-empty string such as 'viewer', got {value!r}."
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ManagedSyncClient("p1", "t", check_batch_size=0), "an integer >= 1, got 0"),
        (lambda: ManagedSyncClient("p1", "t", retry_budget=-1), "a number of seconds >= 0, got -1"),
        (
            lambda: AsyncManagedSyncClient("p1", "t", max_requests_per_second=0),
            "a number > 0 or None, got 0",
        ),
        (lambda: CLIENT.download_content("r1", max_bytes=-1), "an integer >= 0, got -1"),
        (lambda: AccessChecker(CLIENT, cache_size=0), "an integer >= 1, got 0"),
        (lambda: AccessChecker(CLIENT, list_limit=0), "an integer >= 1 or 'auto' or None, got 0"),
        (lambda: AccessChecker(CLIENT, deny_ttl=-1), "a number of seconds >= 0, got -1"),
        (lambda: AccessChecker(CLIENT, ""), "a non-empty string such as 'viewer', got ''"),
        (lambda: Chunker(chunk_size=0), "an integer >= 1, got 0"),
        (lambda: Chunker(8, chunk_overlap=-1), "an integer >= 0, got -1"),
        (lambda: Chunker(8, chunk_overlap=8), "an integer <= chunk_size - 1 (7), got 8"),
        (lambda: DocumentLoader(CLIENT, downloads=0), "an integer >= 1, got 0"),
        (lambda: DocumentLoader(CLIENT, parse_timeout=0), "a number of seconds > 0, got 0"),
        (lambda: Retries(attempts=0), "an integer >= 1, got 0"),
        (lambda: Retries(call_timeout=0), "a number of seconds > 0 or None, got 0"),
        (lambda: IndexSync(CLIENT, Target(), "x", batch_size=0), "an integer >= 1, got 0"),
        (
            lambda: IndexSync(CLIENT, Target(), "x", most_deletions=2),
            "a number >= 0 and <= 1, got 2",
        ),
    ],
)
def test_every_class_says_it_alike(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()

    assert str(caught.value).partition(" must be ")[2] == f"{message}."
