"""The bundled embedding: offline, of length one, and quiet."""

from __future__ import annotations

import logging
import math

import pytest

from managed_sync.bundled_embedding import BUNDLED_DIMENSIONS, load_bundled_model


def test_vectors_have_length_one_whatever_the_text() -> None:
    vectors = load_bundled_model().embed(["a question", "", "   ", "質問", "x" * 100_000])

    assert [len(vector) for vector in vectors] == [BUNDLED_DIMENSIONS] * 5
    for vector in vectors:
        assert math.hypot(*vector) == pytest.approx(1)


def test_no_texts_have_no_vectors() -> None:
    assert load_bundled_model().embed([]) == []


def test_texts_about_the_same_thing_are_nearer() -> None:
    question, near, far = load_bundled_model().embed(
        ["How many days of holiday do I get?", "Employees have 28 holidays.", "Bolts are torqued."]
    )

    assert dot(question, near) > dot(question, far)


def dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_loading_leaves_the_root_logger_alone() -> None:
    load_bundled_model()

    assert logging.getLogger().level == logging.WARNING
