"""Whoever watches a LangChain retrieval sees what it returned, and nothing that it withheld."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypedDict

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.context import register_configure_hook
from langchain_core.tracers.schemas import Run
from langgraph.graph import START, StateGraph

from managed_sync.errors import AccessCheckError
from managed_sync.langchain import PermissionAwareRetriever
from tests.adversarial.langchain_retrievers import RETRIEVERS, ensemble
from tests.adversarial.traced_passages import (
    PASSAGES,
    assert_shows_only_what_was_returned,
    broken_checker,
)
from tests.support.frameworks import ALICE, QUESTION, LangChain


class Tracer(BaseTracer):
    """Keeps runs as a tracing service would get them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def _persist_run(self, run: Run) -> None:
        self._keep(run)

    def _keep(self, run: Run) -> None:
        self.seen.append(repr((run.name, run.inputs, run.outputs, run.error, run.serialized)))
        self.seen.append(repr((run.extra, run.events, run.tags)))
        for child in run.child_runs:
            self._keep(child)


class Handler(BaseCallbackHandler):
    """Keeps all arguments of all callbacks."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("on_"):
            return super().__getattribute__(name)
        seen = self.seen

        def keep(*arguments: Any, **more: Any) -> None:
            seen.append(f"{name} {arguments!r} {more!r}")

        return keep


NESTED = {
    name: RETRIEVERS[name]
    for name in ("one that hands its callbacks on", "one that hands on nothing", "an ensemble")
}
_global_tracer: ContextVar[BaseCallbackHandler | None] = ContextVar("tracer", default=None)
_global_handler: ContextVar[BaseCallbackHandler | None] = ContextVar("handler", default=None)
# As tracers are switched on for all that runs.
register_configure_hook(_global_tracer, inheritable=True)
register_configure_hook(_global_handler, inheritable=True)


Surrounding = Callable[[PermissionAwareRetriever], tuple[Any, Any]]


def alone(retriever: PermissionAwareRetriever) -> tuple[Any, Any]:
    return retriever, QUESTION


def in_a_chain(retriever: PermissionAwareRetriever) -> tuple[Any, Any]:
    return RunnableLambda(str) | {"found": retriever, "asked": RunnablePassthrough()}, QUESTION


def in_a_function(retriever: PermissionAwareRetriever) -> tuple[Any, Any]:
    """A function whose retriever finds the call's config by itself, as in a graph's node."""

    def search(question: str) -> list[Document]:
        return retriever.invoke(question)

    async def asearch(question: str) -> list[Document]:
        return await retriever.ainvoke(question)

    return RunnableLambda(search, asearch), QUESTION


class State(TypedDict):
    question: str
    found: list[Document]


def in_a_graph(retriever: PermissionAwareRetriever) -> tuple[Any, Any]:
    node = in_a_function(retriever)[0]
    graph = StateGraph(State)
    graph.add_node(
        "search", (lambda state: state["question"]) | node | {"found": RunnablePassthrough()}
    )
    graph.add_edge(START, "search")
    return graph.compile(), {"question": QUESTION}


def as_tool(retriever: PermissionAwareRetriever) -> tuple[Any, Any]:
    return retriever.as_tool(), {"query": QUESTION}


SURROUNDINGS = pytest.mark.parametrize(
    "surrounding", [alone, in_a_chain, in_a_function, in_a_graph, as_tool]
)
HOW = pytest.mark.parametrize("how", ["by config", "by a global hook"])
DRIVERS = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@contextmanager
def watching(how: str) -> Iterator[tuple[list[Any], Any]]:
    """Gives a tracer and a handler, and the config of a call that both watch."""
    watchers = [Tracer(), Handler()]
    config: Any = {"configurable": {"subject": ALICE}}
    if how == "by config":
        yield watchers, {**config, "callbacks": list(watchers)}
        return
    tokens = [(_global_tracer, _global_tracer.set(watchers[0]))]
    tokens += [(_global_handler, _global_handler.set(watchers[1]))]
    try:
        yield watchers, config
    finally:
        for variable, token in tokens:
            variable.reset(token)


def run_watched(
    retriever: PermissionAwareRetriever,
    surrounding: Surrounding,
    config: Any,
    *,
    asynchronous: bool,
) -> None:
    runnable, question = surrounding(retriever)
    if asynchronous:
        asyncio.run(runnable.ainvoke(question, config=config))
    else:
        runnable.invoke(question, config=config)


@pytest.mark.sampled(7)
@SURROUNDINGS
@HOW
@DRIVERS
@pytest.mark.parametrize("make", RETRIEVERS.values(), ids=RETRIEVERS)
def test_callbacks_see_only_what_was_returned(
    make: Callable[[], PermissionAwareRetriever],
    surrounding: Surrounding,
    how: str,
    asynchronous: bool,
) -> None:
    with watching(how) as (watchers, config):
        run_watched(make(), surrounding, config, asynchronous=asynchronous)

    for watcher in watchers:
        assert_shows_only_what_was_returned(watcher.seen)


@DRIVERS
@pytest.mark.parametrize("make", [LangChain(asynchronous=False).store, None])
def test_callbacks_see_only_that_a_check_failed(make: Any, asynchronous: bool) -> None:
    source: Any = {"vectorstore": make(PASSAGES)} if make else {"base_retriever": ensemble()}
    retriever = PermissionAwareRetriever(checker=broken_checker(), k=6, **source)

    with watching("by config") as (watchers, config), pytest.raises(AccessCheckError):
        run_watched(retriever, in_a_function, config, asynchronous=asynchronous)

    for watcher in watchers:
        assert_shows_only_what_was_returned(watcher.seen, ["AccessCheckError"])


async def batched(runnable: Any, question: Any, config: Any) -> Any:
    return runnable.batch([question, question], config)


async def abatched(runnable: Any, question: Any, config: Any) -> Any:
    return await runnable.abatch([question, question], config)


async def streamed(runnable: Any, question: Any, config: Any) -> Any:
    return list(runnable.stream(question, config))


async def astreamed(runnable: Any, question: Any, config: Any) -> Any:
    return [each async for each in runnable.astream(question, config)]


async def events_streamed(runnable: Any, question: Any, config: Any) -> Any:
    return [each async for each in runnable.astream_events(question, config, version="v2")]


async def log_streamed(runnable: Any, question: Any, config: Any) -> Any:
    return [each async for each in runnable.astream_log(question, config)]


@pytest.mark.sampled(7)
@pytest.mark.filterwarnings("ignore:astream_log is deprecated")
@SURROUNDINGS
@HOW
@pytest.mark.parametrize("make", NESTED.values(), ids=NESTED)
@pytest.mark.parametrize(
    "run", [batched, abatched, streamed, astreamed, events_streamed, log_streamed]
)
def test_callbacks_and_streams_see_only_what_was_returned(
    make: Callable[[], PermissionAwareRetriever], surrounding: Surrounding, run: Any, how: str
) -> None:
    runnable, question = surrounding(make())
    with watching(how) as (watchers, config):
        streamed = asyncio.run(run(runnable, question, config))

    for watcher in watchers:
        assert_shows_only_what_was_returned(watcher.seen)
    assert_shows_only_what_was_returned([repr(each) for each in streamed])
