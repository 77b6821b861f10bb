"""The subject on its way through LangGraph: through nodes, branches, batches and resumed runs."""

from __future__ import annotations

import asyncio
import operator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypedDict

import pytest
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, Send, interrupt

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import MissingSubjectError
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.langchain.document_filter import PermissionFilter
from tests.support.permission_service import CheckingService, own_numbers

USERS = [f"user{number}@x.example" for number in range(24)]


class State(TypedDict):
    question: str
    found: Annotated[list[Document], operator.add]


@pytest.fixture(scope="module")
def store() -> InMemoryVectorStore:
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    store.add_documents(
        [Document(f"passage {n}", metadata={"object_id": f"file:{n}"}) for n in range(48)]
    )
    return store


@pytest.fixture(params=["retriever", "filter"])
def retriever(store: InMemoryVectorStore, request: pytest.FixtureRequest) -> BaseRetriever:
    checker = AccessChecker(CheckingService(own_numbers(len(USERS))))
    if request.param == "retriever":
        return PermissionAwareRetriever(vectorstore=store, checker=checker, k=4)
    return ContextualCompressionRetriever(
        base_retriever=store.as_retriever(search_kwargs={"k": 48}),
        base_compressor=PermissionFilter(checker=checker),
    )


@pytest.fixture
def graph(retriever: BaseRetriever) -> CompiledStateGraph[Any]:
    """Two branches side by side: one search, and three that are sent out."""

    def search(state: State) -> dict[str, Any]:
        return {"found": retriever.invoke(state["question"])}

    async def asearch(state: State) -> dict[str, Any]:
        return {"found": await retriever.ainvoke(state["question"])}

    def spread(state: State) -> list[Send]:
        return [Send("sent", {"question": f"{state['question']} {part}"}) for part in range(3)]

    graph = StateGraph(State)
    graph.add_node("one", RunnableLambda(search, asearch))
    graph.add_node("sent", RunnableLambda(search, asearch))
    graph.add_edge(START, "one")
    graph.add_conditional_edges(START, spread, ["sent"])
    graph.add_edge("one", END)
    return graph.compile()


def owners(state: dict[str, Any]) -> set[str]:
    numbers = [int(d.metadata["object_id"].removeprefix("file:")) for d in state["found"]]
    assert len(numbers) == 4 * 2
    return {USERS[number % 24] for number in numbers}


def question() -> State:
    return {"question": "q", "found": []}


def config(user: str) -> RunnableConfig:
    return {"configurable": {"subject": user}}


def test_the_configs_subject_reaches_every_node(graph: CompiledStateGraph[Any]) -> None:
    assert owners(graph.invoke(question(), config(USERS[3]))) == {USERS[3]}
    assert owners(asyncio.run(graph.ainvoke(question(), config(USERS[3])))) == {USERS[3]}


def test_acting_as_reaches_every_node(graph: CompiledStateGraph[Any]) -> None:
    with acting_as(USERS[4]):
        assert owners(graph.invoke(question())) == {USERS[4]}
        assert owners(asyncio.run(graph.ainvoke(question()))) == {USERS[4]}


def test_without_a_subject_a_run_fails(graph: CompiledStateGraph[Any]) -> None:
    with pytest.raises(MissingSubjectError):
        graph.invoke(question())
    with pytest.raises(MissingSubjectError):
        asyncio.run(graph.ainvoke(question()))


def test_a_subject_in_the_state_is_not_one(graph: CompiledStateGraph[Any]) -> None:
    state = {**question(), "subject": USERS[3], "configurable": {"subject": USERS[3]}}

    with pytest.raises(MissingSubjectError):
        graph.invoke(state)


def test_runs_side_by_side_do_not_cross_in_batches(graph: CompiledStateGraph[Any]) -> None:
    configs: list[RunnableConfig] = [{**config(user), "max_concurrency": 16} for user in USERS]
    questions: list[Any] = [question() for _ in USERS]

    in_threads = graph.batch(questions, configs)
    in_tasks = asyncio.run(graph.abatch(questions, configs))

    assert [owners(state) for state in in_threads] == [{user} for user in USERS]
    assert [owners(state) for state in in_tasks] == [{user} for user in USERS]


def test_runs_side_by_side_do_not_cross_under_acting_as(graph: CompiledStateGraph[Any]) -> None:
    def run(user: str) -> set[str]:
        with acting_as(user):
            return owners(graph.invoke(question()))

    async def arun(user: str) -> set[str]:
        with acting_as(user):
            return owners(await graph.ainvoke(question()))

    async def all_at_once() -> list[set[str]]:
        return await asyncio.gather(*(arun(user) for user in USERS))

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(run, USERS)) == [{user} for user in USERS]
    assert asyncio.run(all_at_once()) == [{user} for user in USERS]


def test_a_resumed_run_is_for_whoever_resumes_it(retriever: BaseRetriever) -> None:
    def wait(state: State) -> dict[str, Any]:
        return {"question": interrupt("Which one?"), "found": retriever.invoke(state["question"])}

    graph = StateGraph(State)
    graph.add_node("wait", wait)
    graph.add_edge(START, "wait")
    waiting = graph.compile(checkpointer=InMemorySaver())

    def thread(number: int, **subject: str) -> RunnableConfig:
        return {"configurable": {"thread_id": str(number), **subject}}

    for number in range(2):
        waiting.invoke(question(), thread(number, subject=USERS[5]))

    with pytest.raises(MissingSubjectError):
        waiting.invoke(Command(resume="q"), thread(0))
    found = waiting.invoke(Command(resume="q"), thread(1, subject=USERS[6]))["found"]
    assert {d.metadata["object_id"] for d in found} == {"file:6", "file:30"}
