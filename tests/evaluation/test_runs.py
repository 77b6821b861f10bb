"""Retrievers of both frameworks are measured, for users who may read different things."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from llama_index.core.base.base_retriever import BaseRetriever as NodeRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from managed_sync import AccessChecker
from managed_sync.errors import AccessCheckError, ConfigurationError, MissingExtraError
from managed_sync.evaluation import Answer, EvaluationQuestion, Outcome, aevaluate, evaluate
from managed_sync.langchain import PermissionAwareRetriever
from tests.support.permission_service import FakePermissionService

ANN, BOB = "ann@x.example", "bob@x.example"
# In the order in which every retriever below returns them.
TEXTS = [
    ("file:1", "Ten\ndays of  leave"),
    ("file:2", "Half pay"),
    ("file:2", "Full pay"),
    ("", "?"),
]
LEAVE = EvaluationQuestion(
    "Leave?", (Answer("/leave.md", "Ten days"),), kind="fact", asked_by=(ANN, BOB)
)
PAY = EvaluationQuestion(
    "Pay?", (Answer("file:2", "Full pay"), Answer("/leave.md", "days")), asked_by=(ANN,)
)
UNKNOWN = EvaluationQuestion("Gym?", kind="unanswerable", asked_by=(ANN,))
OBJECTS = {"/leave.md": "file:1"}


class Documents(BaseRetriever):
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return documents(query)


class Nodes(NodeRetriever):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [
            NodeWithScore(node=TextNode(text=text, metadata={"object_id": object_id}))
            for object_id, text in TEXTS
        ]


def documents(query: str) -> list[Document]:
    return [
        Document(text, metadata={"object_id": object_id} if object_id else {})
        for object_id, text in TEXTS
    ]


def checker() -> AccessChecker:
    return AccessChecker(FakePermissionService("file:2", ann=["file:1"]))


def brief(outcome: Outcome) -> tuple[str, str, tuple[int | None, ...], int]:
    return (outcome.question.question, outcome.user, outcome.ranks, outcome.unauthorized)


@pytest.mark.parametrize("retriever", [Documents(), Nodes(), documents])
def test_retrievers_of_both_frameworks_and_functions_are_measured_alike(retriever: Any) -> None:
    evaluation = evaluate(retriever, [LEAVE, PAY, UNKNOWN], checker=checker(), objects=OBJECTS)
    assert [brief(outcome) for outcome in evaluation.outcomes] == [
        ("Leave?", ANN, (1,), 1),
        ("Leave?", BOB, (), 2),
        ("Pay?", ANN, (3, 1), 1),
        ("Gym?", ANN, (), 1),
    ]


@pytest.mark.parametrize("retriever", [Documents(), Nodes()])
@pytest.mark.asyncio
async def test_an_asynchronous_evaluation_finds_the_same(retriever: Any) -> None:
    arguments: dict[str, Any] = {"checker": checker(), "objects": OBJECTS}
    awaited = await aevaluate(retriever, [LEAVE, PAY], **arguments)
    blocking = evaluate(retriever, [LEAVE, PAY], **arguments)
    assert [*map(brief, awaited.outcomes)] == [*map(brief, blocking.outcomes)]


def test_a_passage_that_the_user_may_not_read_is_a_leak_and_one_without_an_id_as_well() -> None:
    (outcome,) = evaluate(Documents(), [LEAVE], checker=checker(), users=[BOB]).outcomes
    assert outcome.returned == 4
    assert outcome.unauthorized == 2


def test_a_retriever_that_checks_finds_its_user_and_leaks_nothing() -> None:
    chain = PermissionAwareRetriever.from_retriever(Documents(), checker=checker())
    evaluation = evaluate(chain, [LEAVE, PAY], checker=checker(), objects=OBJECTS)
    assert evaluation.figures().unauthorized == 0
    assert [outcome.returned for outcome in evaluation.outcomes] == [3, 2, 3]


def test_an_answer_that_the_user_may_not_read_counts_neither_as_hit_nor_as_miss() -> None:
    evaluation = evaluate(Documents(), [LEAVE], checker=checker(), objects=OBJECTS)
    by_user = evaluation.figures_by("user")
    assert (by_user[ANN].counted, by_user[ANN].hits) == (1, (1.0, 1.0, 1.0))
    assert (by_user[BOB].counted, by_user[BOB].hits) == (0, (None, None, None))


def test_the_right_object_with_another_passage_is_no_hit() -> None:
    question = EvaluationQuestion("Pay?", (Answer("file:2", "Full pay"),), asked_by=(BOB,))
    (outcome,) = evaluate(lambda _: documents("")[:2], [question], checker=checker()).outcomes
    assert outcome.ranks == (None,)


def test_an_error_of_the_permission_service_ends_the_evaluation() -> None:
    failing = AccessChecker(FakePermissionService(fails_at=1))
    with pytest.raises(AccessCheckError):
        evaluate(Documents(), [LEAVE], checker=failing)


@pytest.mark.parametrize(
    ("retriever", "questions", "problem"),
    [
        (Documents(), [], "questions must hold at least one"),
        ({}, [LEAVE], "retrievers must name at least one"),
        (7, [LEAVE], "retriever must be a retriever of LangChain or LlamaIndex"),
        (Documents(), [EvaluationQuestion("Who?")], "Nobody asks 'Who\\?'"),
        (lambda _: ["text"], [LEAVE], "must return documents of LangChain or nodes"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    retriever: Any, questions: Sequence[EvaluationQuestion], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        evaluate(retriever, questions, checker=checker())


def test_figures_are_given_by_setting_as_table_json_and_plot(tmp_path: Path) -> None:
    settings = {"all": Documents(), "two": lambda _: documents("")[1:3]}
    seen: list[Outcome] = []
    evaluation = evaluate(
        settings, [LEAVE, PAY], checker=checker(), objects=OBJECTS, on_outcome=seen.append
    )
    assert evaluation.outcomes == tuple(seen)
    assert evaluation.only(setting="two", user=ANN).figures().hits == (0.0, 0.5, 0.5)
    table = evaluation.markdown().splitlines()
    assert table[0].startswith(
        "| setting | n | hit@1 | hit@3 | hit@6 | MRR | nDCG | recall | leaks"
    )
    assert table[3].startswith("| two | 2 | 0.00 | 0.50 | 0.50 | 0.25 |")
    values = json.loads(json.dumps(evaluation.as_dict()))
    assert values["by_setting"]["two"]["hit@3"] == 0.5
    assert values["by_kind"]["fact"]["counted"] == 2
    assert len(values["outcomes"]) == 6
    for name in ("first.svg", "second.svg"):
        evaluation.plot(tmp_path / name)
    assert b"by setting" in (tmp_path / "first.svg").read_bytes()
    assert (tmp_path / "first.svg").read_bytes() == (tmp_path / "second.svg").read_bytes()


def test_a_plot_that_cannot_be_drawn_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation = evaluate(Documents(), [LEAVE], checker=checker(), objects=OBJECTS)
    for bad in (tmp_path / "none" / "a.svg", tmp_path / "a.xyz"):
        with pytest.raises(ConfigurationError, match=r"such as answers\.svg"):
            evaluation.plot(bad)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"managed-sync\[evaluation\]"):
        evaluation.plot(tmp_path / "a.svg")
