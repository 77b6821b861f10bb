"""The config's subject, where LangChain passes a config on and where it loses one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from langchain_classic.chains import RetrievalQA
from langchain_classic.retrievers import (
    EnsembleRetriever,
    MergerRetriever,
    MultiQueryRetriever,
)
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import create_retriever_tool

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import ConfigurationError, MissingSubjectError
from managed_sync.langchain import PermissionAwareRetriever
from tests.langchain.compressing import compressing
from tests.support.frameworks import ALICE, BOB, LangChain
from tests.support.passages import files, passages_of
from tests.support.permission_service import FakePermissionService


@pytest.fixture
def retriever() -> PermissionAwareRetriever:
    way = LangChain(asynchronous=False)
    checker = AccessChecker(FakePermissionService(alice=files(1, 2), bob=files(3)))
    return way.retriever(way.store(passages_of(*files(*range(6)))), checker, k=2)


def of(user: str) -> RunnableConfig:
    return {"configurable": {"subject": user}}


def ids(documents: list[Document]) -> list[str]:
    return [document.metadata["object_id"] for document in documents]


def merging(inner: BaseRetriever) -> Any:
    return MergerRetriever(retrievers=[inner])


def rephrasing(inner: BaseRetriever) -> Any:
    return MultiQueryRetriever(retriever=inner, llm_chain=RunnableLambda(lambda _: ["q"]))


def answering(inner: BaseRetriever) -> Any:
    model = FakeListChatModel(responses=["an answer"])
    chain: Any = RetrievalQA.from_chain_type(model, retriever=inner, return_source_documents=True)
    return RunnableLambda(lambda query, config: {"query": query}) | chain


losing_configs = pytest.mark.parametrize("wrapped", [compressing, merging, rephrasing])


def running_for(user: str, call: Callable[[str], Any]) -> Any:
    """Returns the result of a call inside a chain for a user."""
    return RunnableLambda(call).invoke("q", of(user))


def running_in_a_task_for(user: str, call: Callable[[str], Awaitable[Any]]) -> Any:
    async def ask(query: str) -> Any:
        return await call(query)

    return asyncio.run(RunnableLambda(ask).ainvoke("q", of(user)))


@losing_configs
class TestWhereAConfigIsLost:
    def test_nobody_gets_what_the_chain_around_may_read(
        self, retriever: PermissionAwareRetriever, wrapped: Callable[[BaseRetriever], Any]
    ) -> None:
        outer = wrapped(retriever)

        with pytest.raises(ConfigurationError, match="for_subject"):
            running_for(ALICE, lambda query: outer.invoke(query, of(BOB)))
        with pytest.raises(ConfigurationError, match="for_subject"):
            running_in_a_task_for(ALICE, lambda query: outer.ainvoke(query, of(BOB)))
        with pytest.raises(ConfigurationError, match="for_subject"):
            running_for(ALICE, lambda query: outer.batch([query, query], [of(ALICE), of(BOB)]))

    def test_it_is_refused_too_where_no_other_one_was_named(
        self, retriever: PermissionAwareRetriever, wrapped: Callable[[BaseRetriever], Any]
    ) -> None:
        """The retriever cannot tell this from the former."""
        with pytest.raises(ConfigurationError, match="for_subject"):
            running_for(ALICE, lambda query: wrapped(retriever).invoke(query))

    def test_acting_as_and_binding_name_the_user_all_the_same(
        self, retriever: PermissionAwareRetriever, wrapped: Callable[[BaseRetriever], Any]
    ) -> None:
        def acting(query: str) -> list[Document]:
            with acting_as(ALICE):
                found: list[Document] = wrapped(retriever).invoke(query)
                return found

        def bound(query: str) -> list[Document]:
            found: list[Document] = wrapped(retriever.for_subject(ALICE)).invoke(query)
            return found

        async def acting_later(query: str) -> list[Document]:
            with acting_as(ALICE):
                found: list[Document] = await wrapped(retriever).ainvoke(query)
                return found

        assert ids(running_for(ALICE, acting)) == files(1, 2)
        assert ids(running_for(ALICE, bound)) == files(1, 2)
        assert ids(running_in_a_task_for(ALICE, acting_later)) == files(1, 2)
        assert ids(acting("q")) == files(1, 2)
        with pytest.raises(ConfigurationError):
            running_for(BOB, acting)
        with pytest.raises(ConfigurationError):
            running_for(BOB, bound)

    def test_without_a_chain_around_nobody_asks(
        self, retriever: PermissionAwareRetriever, wrapped: Callable[[BaseRetriever], Any]
    ) -> None:
        with pytest.raises(MissingSubjectError):
            wrapped(retriever).invoke("q", of(ALICE))


def test_a_question_answering_chain_is_refused_too(retriever: PermissionAwareRetriever) -> None:
    with pytest.raises(ConfigurationError, match="for_subject"):
        running_for(ALICE, lambda query: answering(retriever).invoke(query, of(BOB)))


def test_where_a_config_is_passed_on_the_nearest_counts(
    retriever: PermissionAwareRetriever,
) -> None:
    ensemble = EnsembleRetriever(retrievers=[retriever], weights=[1.0])
    sequence = RunnableLambda(str.strip) | retriever

    for asked in (retriever, ensemble, sequence):

        def for_the_chain(query: str, asked: Any = asked) -> Any:
            return asked.invoke(query)

        def for_bob(query: str, asked: Any = asked) -> Any:
            return [asked.invoke(query, of(BOB)), *asked.batch([query, query], of(BOB))]

        assert ids(running_for(ALICE, for_the_chain)) == files(1, 2)
        assert [ids(found) for found in running_for(ALICE, for_bob)] == [files(3)] * 3


def test_tools_run_for_the_chain_around(retriever: PermissionAwareRetriever) -> None:
    langchains = create_retriever_tool(
        retriever, "search", "Searches.", response_format="content_and_artifact"
    )
    for tool in (langchains, retriever.as_tool()):
        call: Any = {"name": tool.name, "args": {"query": "q"}, "id": "1", "type": "tool_call"}

        def use(_: str, tool: Any = tool, call: Any = call) -> list[Document]:
            found: list[Document] = tool.invoke(call).artifact
            return found

        async def use_later(_: str, tool: Any = tool, call: Any = call) -> list[Document]:
            found: list[Document] = (await tool.ainvoke(call)).artifact
            return found

        assert ids(running_for(ALICE, use)) == files(1, 2)
        assert ids(running_in_a_task_for(BOB, use_later)) == files(3)


class TestWithAReport:
    def test_it_is_for_the_running_config_too(self, retriever: PermissionAwareRetriever) -> None:
        def ask(query: str) -> Any:
            return retriever.retrieve_with_report(query)

        async def ask_later(query: str) -> Any:
            return await retriever.aretrieve_with_report(query)

        for documents, report in (running_for(ALICE, ask), running_in_a_task_for(ALICE, ask_later)):
            assert ids(documents) == files(1, 2)
            assert report.subject == ALICE

    def test_it_is_refused_where_the_config_and_acting_as_differ(
        self, retriever: PermissionAwareRetriever
    ) -> None:
        def ask(query: str) -> Any:
            with acting_as(BOB):
                return retriever.retrieve_with_report(query)

        with pytest.raises(ConfigurationError, match="acting_as"):
            running_for(ALICE, ask)


def test_a_stream_of_another_user_that_a_chain_reads_is_refused(
    retriever: PermissionAwareRetriever,
) -> None:
    def answers() -> Any:
        with acting_as(BOB):
            while True:
                yield ids(retriever.invoke("q"))

    stream = answers()
    assert next(stream) == files(3)
    stream_in_thread: Any = RunnableLambda(lambda _: next(stream))
    with pytest.raises(ConfigurationError):
        stream_in_thread.batch(["q", "q"], of(ALICE))
    stream.close()
