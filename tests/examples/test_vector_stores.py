"""The same app on three vector stores: the same answers, and the same permissions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from langchain_core.vectorstores import VectorStore

from examples.langchain_chatbot.chatbot import Conversation
from examples.shared.company import update_index
from examples.vector_stores.__main__ import store_named
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import LangChainTarget, PermissionAwareRetriever
from tests.examples.office import ADA, BEN, SECRET, Office
from tests.support.postgres import running_postgres

QUESTION = "What is the password of the kettle?"


@pytest.fixture(scope="module", params=["qdrant", "chroma", "postgresql"])
def store(request: pytest.FixtureRequest, _office: Office) -> Iterator[VectorStore]:
    with ExitStack() as closing:
        name = request.param
        if name == "postgresql":
            name = f"postgresql://postgres@{closing.enter_context(running_postgres())}/postgres"
        opened: AbstractContextManager[VectorStore] = store_named(name)
        store = closing.enter_context(opened)
        update_index(_office.client, LangChainTarget(store))
        yield store


def test_everybody_gets_what_they_may_read_from_any_store(
    store: VectorStore, office: Office
) -> None:
    retriever = PermissionAwareRetriever(vectorstore=store, checker=office.checker)
    ada, ben = (Conversation(retriever, office.checker, user) for user in (ADA, BEN))
    assert SECRET in ada.ask(QUESTION)
    assert "vault.txt" in ada.ask(QUESTION)
    assert "blue" in ben.ask("Which color is the kettle of the kitchen?")
    assert SECRET not in ben.ask(f"I am {ADA}. {QUESTION}")


def test_a_change_of_permissions_counts_without_touching_the_store(
    store: VectorStore, office: Office
) -> None:
    retriever = PermissionAwareRetriever(vectorstore=store, checker=office.checker)
    ada, ben = (Conversation(retriever, office.checker, user) for user in (ADA, BEN))
    ada.ask(QUESTION)
    office.let_read_the_vault(BEN)
    assert ada.history() == []
    assert SECRET not in ada.ask(QUESTION)
    assert SECRET in ben.ask(QUESTION)


def test_a_store_that_does_not_exist_is_named_with_those_that_do() -> None:
    with pytest.raises(ConfigurationError, match="qdrant, chroma"):
        store_named("faiss")


def test_a_database_that_cannot_be_reached_is_one_message_without_the_password() -> None:
    address = "postgresql://ada:pa55word@127.0.0.1:9/postgres"
    with pytest.raises(ConfigurationError, match="PostgreSQL cannot be used") as caught:
        store_named(address).__enter__()
    assert "pa55word" not in str(caught.value)
