"""The subject in LangGraph's ``context=``: it counts as the config's does, and never instead."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import before_model
from langchain_core.documents import Document
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import create_retriever_tool
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send
from pydantic import BaseModel

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import ConfigurationError, MissingSubjectError
from managed_sync.langchain import PermissionAwareRetriever, PermissionFilter
from tests.langchain.compressing import compressing
from tests.support.frameworks import ALICE, BOB, LangChain
from tests.support.passages import files, passages_of
from tests.support.permission_service import FakePermissionService


@dataclass
class Context:
    subject: Any = None
    locale: str = "en"


class ModelContext(BaseModel):
    subject: str


@dataclass
class WithoutSubject:
    locale: str = "en"


class State(TypedDict):
    question: str
    found: Annotated[list[str], operator.add]


CHECKER = AccessChecker(FakePermissionService(alice=files(1, 2), bob=files(3)))


@pytest.fixture(scope="module")
def retriever() -> PermissionAwareRetriever:
    way = LangChain(asynchronous=False)
    return way.retriever(way.store(passages_of(*files(*range(6)))), CHECKER, k=2)


def graph_of(search: Callable[[str], list[Document]], **options: Any) -> CompiledStateGraph[Any]:
    """A graph with a node, and two nodes side by side that are sent out."""

    def node(state: State) -> dict[str, Any]:
        return {"found": [one.metadata["object_id"] for one in search(state["question"])]}

    async def anode(state: State) -> dict[str, Any]:
        found = await asyncio.to_thread(search, state["question"])
        return {"found": [one.metadata["object_id"] for one in found]}

    graph = StateGraph(State, **options)
    graph.add_node("one", RunnableLambda(node, anode))
    graph.add_node("sent", RunnableLambda(node, anode))
    graph.add_edge(START, "one")
    graph.add_conditional_edges(START, lambda state: [Send("sent", state)] * 2, ["sent"])
    graph.add_edge("one", END)
    return graph.compile()


def of(user: str) -> Any:
    return {"configurable": {"subject": user}}


def ask(graph: CompiledStateGraph[Any], **call: Any) -> set[str]:
    found = graph.invoke({"question": "q", "found": []}, **call)["found"]
    again = asyncio.run(graph.ainvoke({"question": "q", "found": []}, **call))["found"]
    assert sorted(found) == sorted(again)
    return set(found)


@pytest.mark.parametrize(
    "context",
    [Context(ALICE), ModelContext(subject=ALICE), {"subject": ALICE}],
    ids=["dataclass", "pydantic", "mapping"],
)
def test_the_contexts_subject_reaches_every_node(
    retriever: PermissionAwareRetriever, context: Any
) -> None:
    assert ask(graph_of(retriever.invoke), context=context) == set(files(1, 2))


def test_it_reaches_filters_and_reports_too(retriever: PermissionAwareRetriever) -> None:
    everything = [one.document for one in passages_of(*files(*range(6)))]
    only_filter = PermissionFilter(checker=CHECKER)

    reported = graph_of(lambda query: retriever.retrieve_with_report(query)[0])
    filtered = graph_of(lambda query: only_filter.compress_documents(everything, query))

    assert ask(reported, context=Context(ALICE)) == set(files(1, 2))
    assert ask(filtered, context=Context(BOB)) == set(files(3))


@pytest.mark.parametrize(
    "context", [None, {}, Context(None), Context("  "), WithoutSubject(), {"user": ALICE}]
)
def test_without_a_subject_in_it_a_run_fails(
    retriever: PermissionAwareRetriever, context: Any
) -> None:
    with pytest.raises(MissingSubjectError):
        ask(graph_of(retriever.invoke), context=context)


def test_a_lost_subject_is_not_replaced_by_that_of_a_block(
    retriever: PermissionAwareRetriever,
) -> None:
    with acting_as(ALICE), pytest.raises(MissingSubjectError):
        ask(graph_of(retriever.invoke), context=Context(None))
    with acting_as(ALICE):
        assert ask(graph_of(retriever.invoke), context=WithoutSubject()) == set(files(1, 2))


def test_other_names_of_the_user_must_agree(retriever: PermissionAwareRetriever) -> None:
    graph = graph_of(retriever.invoke)

    with pytest.raises(ConfigurationError, match="runtime context"):
        ask(graph, context=Context(ALICE), config=of(BOB))
    with acting_as(BOB), pytest.raises(ConfigurationError, match="acting_as"):
        ask(graph, context=Context(ALICE))
    with pytest.raises(ConfigurationError, match="for_subject"):
        ask(graph_of(retriever.for_subject(BOB).invoke), context=Context(ALICE))
    with acting_as(ALICE):
        assert ask(graph, context=Context(ALICE), config=of(ALICE)) == set(files(1, 2))


def test_what_the_code_of_a_node_names_counts(retriever: PermissionAwareRetriever) -> None:
    by_argument = graph_of(lambda query: retriever.invoke(query, subject=BOB))
    by_config = graph_of(lambda query: retriever.invoke(query, of(BOB)))

    assert ask(by_argument, context=Context(ALICE)) == set(files(3))
    assert ask(by_config, context=Context(ALICE)) == set(files(3))


def test_a_subject_in_the_state_or_the_question_is_not_one(
    retriever: PermissionAwareRetriever,
) -> None:
    state = {"question": f"subject={ALICE}", "found": [], "context": Context(ALICE)}

    with pytest.raises(MissingSubjectError):
        graph_of(retriever.invoke).invoke(state)


class TestNestedGraphs:
    def test_an_inner_graph_is_for_the_user_it_is_called_for(
        self, retriever: PermissionAwareRetriever
    ) -> None:
        inner = graph_of(retriever.invoke)

        def calling(**call: Any) -> CompiledStateGraph[Any]:
            def search(query: str) -> list[Document]:
                found = inner.invoke({"question": query, "found": []}, **call)["found"]
                return [Document("", metadata={"object_id": one}) for one in found]

            return graph_of(search)

        assert ask(calling(), context=Context(ALICE)) == set(files(1, 2))
        assert ask(calling(context=Context(BOB)), context=Context(ALICE)) == set(files(3))
        with pytest.raises(MissingSubjectError):
            ask(calling(context=WithoutSubject()), context=Context(ALICE))
        # The outer context is inherited, and nothing tells which of the two is nearer.
        with pytest.raises(ConfigurationError, match="runtime context"):
            ask(calling(config=of(BOB)), context=Context(ALICE))
        with pytest.raises(ConfigurationError, match="runtime context"):
            ask(calling(context=Context(BOB)), config=of(ALICE))

    def test_a_component_that_loses_its_config_gets_nobody(
        self, retriever: PermissionAwareRetriever
    ) -> None:
        outer = compressing(retriever)

        with pytest.raises(ConfigurationError, match="for_subject"):
            ask(graph_of(lambda query: outer.invoke(query, of(BOB))), context=Context(ALICE))


def test_runs_side_by_side_do_not_cross(retriever: PermissionAwareRetriever) -> None:
    graph: Any = graph_of(retriever.invoke)
    users = [ALICE, BOB] * 8

    async def all_at_once() -> list[Any]:
        state: Any = {"question": "q", "found": []}
        return await asyncio.gather(*(graph.ainvoke(state, context=Context(u)) for u in users))

    with ThreadPoolExecutor(8) as pool:
        in_threads = list(
            pool.map(
                lambda user: graph.invoke({"question": "q", "found": []}, context=Context(user)),
                users,
            )
        )
    expected = [set(files(1, 2)), set(files(3))] * 8
    assert [set(state["found"]) for state in in_threads] == expected
    assert [set(state["found"]) for state in asyncio.run(all_at_once())] == expected


class Model(GenericFakeChatModel):
    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self


def test_an_agents_tools_and_middleware_search_for_the_contexts_user(
    retriever: PermissionAwareRetriever,
) -> None:
    seen: list[set[str]] = []

    @before_model
    def look(state: Any, runtime: Any) -> None:
        seen.append({one.metadata["object_id"] for one in retriever.invoke("q")})

    langchains = create_retriever_tool(
        retriever, "search", "Searches.", response_format="content_and_artifact"
    )
    for tool in (retriever.as_tool(), langchains):
        # A model that tries to name another user.
        chosen = {"query": "q", "subject": BOB, "runtime": {"context": {"subject": BOB}}}
        call = AIMessage("", tool_calls=[{"name": tool.name, "args": chosen, "id": "1"}])
        model = Model(messages=iter([call, AIMessage("done")]))
        agent: Any = create_agent(model, [tool], middleware=[look], context_schema=Context)

        messages = agent.invoke({"messages": [("user", "q")]}, context=Context(ALICE))["messages"]
        found = next(each for each in messages if isinstance(each, ToolMessage)).artifact
        assert {one.metadata["object_id"] for one in found} == set(files(1, 2))
    assert seen == [set(files(1, 2))] * 4
