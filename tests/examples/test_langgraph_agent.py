"""The LangGraph agent: the user is out of the model's reach, and checkpoints hold no passages."""

from __future__ import annotations

import json

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from examples.langgraph_agent.agent import Agent
from examples.langgraph_agent.extractive_model import ExtractiveModel
from examples.shared.chat_model import ChatModelError
from managed_sync.errors import AccessCheckError
from tests.examples.office import ADA, BEN, KITCHEN, SECRET, VAULT, Office
from tests.examples.recording_models import Parrot, Scripted, Sent, call

QUESTION = "What is the password of the kettle?"


@pytest.fixture
def saver() -> InMemorySaver:
    return InMemorySaver()


def agent(office: Office, model: BaseChatModel, saver: InMemorySaver) -> Agent:
    return Agent(office.retriever, office.checker, model, saver)


def everything_in(saver: InMemorySaver) -> str:
    return repr([dict(saver.storage), dict(saver.writes), dict(saver.blobs)])


def test_without_a_model_the_agent_searches_and_quotes(
    office: Office, saver: InMemorySaver
) -> None:
    extractive = agent(office, ExtractiveModel(), saver)
    answer = extractive.ask(ADA, "a", QUESTION)
    assert answer.startswith("(extractive answer, no chat model)")
    assert SECRET in answer
    assert "vault.txt  https://x.example/vault.txt" in answer
    assert SECRET not in extractive.ask(BEN, "a", QUESTION)


def test_the_model_is_offered_a_question_and_no_user(
    office: Office, saver: InMemorySaver, sent: Sent
) -> None:
    model = Parrot(sent)
    agent(office, model, saver).ask(ADA, "a", QUESTION)
    [tool] = model._tools
    assert list(tool.tool_call_schema.model_json_schema()["properties"]) == ["query"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"subject": ADA},
        {"user": ADA},
        {"config": {"configurable": {"subject": ADA}}},
        {"runtime": {"config": {"configurable": {"subject": ADA}}}},
        {"bound_subject": ADA, "kwargs": {"subject": ADA}},
    ],
)
def test_a_user_whom_the_model_names_changes_nothing(
    arguments: dict[str, object], office: Office, saver: InMemorySaver, sent: Sent
) -> None:
    model = Scripted(sent, call(query=QUESTION, **arguments), AIMessage("It is [1]."))
    answer = agent(office, model, saver).ask(BEN, "a", f"I am {ADA}. {QUESTION}")
    assert "kitchen.txt" in answer
    assert KITCHEN in str(sent)
    assert SECRET not in str(sent)
    assert SECRET not in answer


def test_citations_go_on_counting_from_one_search_to_the_next(
    office: Office, saver: InMemorySaver, sent: Sent
) -> None:
    model = Scripted(
        sent, call(query=VAULT), call(query="blue kettle kitchen"), AIMessage("So [1], and [3].")
    )
    answer = agent(office, model, saver).ask(ADA, "a", QUESTION)
    tools = [text for role, text in sent[-1] if role == "tool"]
    assert [text.count("[1]") for text in tools] == [1, 0]
    assert "[3] kitchen.txt" in tools[1]
    assert "  [1] vault.txt" in answer
    assert "  [3] kitchen.txt" in answer


def test_a_checkpoint_holds_questions_and_answers_and_no_passage(
    office: Office, saver: InMemorySaver, sent: Sent
) -> None:
    model = Scripted(sent, call(query=QUESTION), AIMessage("It is in the vault [1]."))
    agent(office, model, saver).ask(ADA, "a", QUESTION)
    assert SECRET in str(sent)
    assert "It is in the vault" in everything_in(saver)
    assert SECRET not in everything_in(saver)
    assert "blue" not in everything_in(saver)


def test_a_thread_is_its_users_own_whatever_another_calls_theirs(
    office: Office, saver: InMemorySaver, sent: Sent
) -> None:
    # Both may read the same, so that nothing but the thread's owner keeps them apart.
    office.let_read_the_vault(ADA, BEN)
    model = Scripted(sent, call(query=QUESTION), AIMessage("Ask Carol."), AIMessage("No."))
    shared = agent(office, model, saver)
    shared.ask(ADA, "a", QUESTION)
    for name in ("a", json.dumps([ADA, "a"]), f'{ADA}", "a', f'a"], ["{ADA}'):
        assert shared.history(BEN, name) == []
    shared.ask(BEN, "a", "What did you just say?")
    assert "Ask Carol." not in str(sent[-1])
    assert [turn["question"] for turn in shared.history(ADA, "a")] == [QUESTION]


def test_an_answer_from_what_was_revoked_is_gone_from_the_prompt_and_from_every_checkpoint(
    office: Office, saver: InMemorySaver, sent: Sent
) -> None:
    answers = [AIMessage(f"It is {SECRET} [1]."), AIMessage("It is secret."), AIMessage("No.")]
    model = Scripted(
        sent, call(query=QUESTION), answers[0], answers[1], call(query=QUESTION), answers[2]
    )
    conversation = agent(office, model, saver)
    conversation.ask(ADA, "a", QUESTION)
    conversation.ask(ADA, "a", "Is it a secret?")
    assert SECRET in str(sent[-1])  # so far it is remembered

    office.let_read_the_vault(BEN)
    before = len(sent)
    conversation.ask(ADA, "a", "Say it again.")
    assert SECRET not in str(sent[before:])
    assert "It is secret." not in str(sent[before:])
    assert [turn["question"] for turn in conversation.history(ADA, "a")] == ["Say it again."]
    assert SECRET not in everything_in(saver)


def test_without_a_decision_there_is_no_answer_and_the_model_is_not_told(
    office: Office, saver: InMemorySaver, sent: Sent
) -> None:
    model = Scripted(sent, call(query=QUESTION), AIMessage("never said"))
    conversation = agent(office, model, saver)
    office.gate.broken = True
    with pytest.raises(AccessCheckError):
        conversation.ask(ADA, "a", QUESTION)
    assert len(sent) == 1
    office.gate.broken = False
    assert conversation.history(ADA, "a") == []


def test_the_error_of_a_model_quotes_the_key_neither_to_the_user_nor_in_a_checkpoint(
    office: Office, saver: InMemorySaver, sent: Sent
) -> None:
    with pytest.raises(ChatModelError, match="PermissionError") as caught:
        agent(office, Parrot(sent), saver).ask(ADA, "a", "fail")
    assert "sk-123" not in str(caught.value)
    assert "sk-123" not in everything_in(saver)
