"""The questions that come with the sample company."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from managed_sync.documents import DocumentLoader, SourceDocument
from managed_sync.errors import MissingExtraError
from managed_sync.evaluation.passages import plain_text
from managed_sync.sample_company import EvaluationQuestion, company_folder, questions
from tests.support.company_oracle import Oracle, reference_of
from tests.support.sample_company import PIPELINES, Company

ORACLE = Oracle(company_folder())
NAMES = ("elena", "carol", "priya", "tomas", "maria", "kenji", "lukas", "sam")
ALLOWED = {f"{name}@harbor.example": ORACLE.allowed(f"{name}@harbor.example") for name in NAMES}
KINDS = {"fact", "identifier", "paraphrase", "table", "language", "follow-up", "unanswerable"}
ASKED = questions()
ANSWERED = [question for question in ASKED if question.answers]


def readers(question: EvaluationQuestion) -> int:
    return sum(reference_of(question.answer_in) in allowed for allowed in ALLOWED.values())


def test_there_are_150_of_seven_kinds_and_each_is_asked_once() -> None:
    assert len(ASKED) == 150
    assert len({question.query for question in ASKED}) == 150
    assert {question.kind for question in ASKED} == KINDS
    assert {question.kind for question in ASKED if not question.answers} == {"unanswerable"}
    assert {question.kind for question in ASKED if question.after} == {"follow-up"}


def test_the_questions_of_each_kind_take_turns_in_the_two_splits() -> None:
    for kind in KINDS:
        splits = [question.split for question in ASKED if question.kind == kind]
        assert splits == [("tune", "report")[number % 2] for number in range(len(splits))]
    assert Counter(question.split for question in ASKED) == {"tune": 76, "report": 74}


def test_every_passage_is_in_the_text_that_is_loaded_from_its_object(company: Company) -> None:
    loader = DocumentLoader(company.client)
    names = company.references()
    texts: dict[str, str] = {}
    for integration, sync_type in PIPELINES:
        for loaded in loader.load(integration, sync_type):
            assert isinstance(loaded, SourceDocument)
            for document in loaded.documents():
                name = names[document.object_id]
                texts[name] = f"{texts.get(name, '')} {plain_text(document.text)}"
    missing = [
        (answer.object, answer.passage)
        for question in ANSWERED
        for answer in question.answers
        if plain_text(answer.passage) not in texts[reference_of(answer.object)]
    ]
    assert missing == []


def test_whoever_asks_may_read_the_first_answer() -> None:
    for question in ANSWERED:
        for user in question.asked_by:
            assert reference_of(question.answer_in) in ALLOWED[user], (question.question, user)
    assert {user for question in ASKED for user in question.asked_by} == set(ALLOWED)


def test_ten_are_about_records_and_thirty_about_narrow_things() -> None:
    assert sum(not question.answer_in.startswith("/") for question in ANSWERED) >= 10
    assert sum(readers(question) <= 3 for question in ANSWERED) >= 30


def test_some_answers_may_be_read_by_everybody() -> None:
    counts = [readers(question) for question in ANSWERED]
    assert min(counts) >= 1
    assert max(counts) == len(NAMES)


def test_without_yaml_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(MissingExtraError, match=r"managed-sync\[evaluation\]"):
        questions()
