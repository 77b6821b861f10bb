"""The questions that come with the sample company."""

from __future__ import annotations

import sys

import pytest

from managed_sync.errors import MissingExtraError
from managed_sync.sample_company import DemoQuestion, company_folder, questions
from tests.support.company_oracle import Oracle, reference_of

ORACLE = Oracle(company_folder())
NAMES = ("elena", "carol", "priya", "tomas", "maria", "kenji", "lukas", "sam")
ALLOWED = [ORACLE.allowed(f"{name}@harbor.example") for name in NAMES]


def readers(question: DemoQuestion) -> int:
    return sum(reference_of(question.answer_in) in allowed for allowed in ALLOWED)


def test_there_are_at_least_thirty_and_each_is_asked_once() -> None:
    asked = [question.question for question in questions()]
    assert len(asked) >= 30
    assert len(set(asked)) == len(asked)


def test_every_answer_is_in_something_that_exists() -> None:
    answers = {reference_of(question.answer_in) for question in questions()}
    assert answers <= ORACLE.everything()


def test_six_are_about_records_and_eight_about_narrow_things() -> None:
    asked = questions()
    assert sum(not question.answer_in.startswith("/") for question in asked) >= 6
    assert sum(readers(question) <= 3 for question in asked) >= 8


def test_each_answer_may_be_read_by_somebody_and_some_by_everybody() -> None:
    counts = [readers(question) for question in questions()]
    assert min(counts) >= 1
    assert max(counts) == len(NAMES)


def test_without_yaml_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"managed-sync\[server\]"):
        questions()
