"""Tests what LangChain's tracers of a whole process or context see, and what stays unchanged."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    BaseCallbackHandler,
    CallbackManagerForRetrieverRun,
    adispatch_custom_event,
    dispatch_custom_event,
)
from langchain_core.documents import Document
from langchain_core.globals import set_debug
from langchain_core.language_models import FakeListChatModel
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import ensure_config, var_child_runnable_config
from langchain_core.tracers.context import (
    collect_runs,
    register_configure_hook,
    tracing_v2_callback_var,
    tracing_v2_enabled,
)
from langsmith import Client, tracing_context
from openinference.instrumentation.langchain import LangChainInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from managed_sync import acting_as
from managed_sync.access.subject import resolve_subject
from managed_sync.langchain import PermissionAwareRetriever
from tests.adversarial.langchain_retrievers import (
    RETRIEVERS,
    AsksATool,
    HandsItsCallbacksOn,
    HandsOnNothing,
    ListRetriever,
    over_another,
)
from tests.adversarial.traced_passages import FINE, assert_shows_only_what_was_returned
from tests.support.frameworks import ALICE, QUESTION

DRIVERS = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
RETRIEVERS_OF_ALL_KINDS = pytest.mark.parametrize("make", RETRIEVERS.values(), ids=RETRIEVERS)


def ask(runnable: Any, config: Any = None, *, asynchronous: bool) -> Any:
    with acting_as(ALICE):
        if asynchronous:
            return asyncio.run(runnable.ainvoke(QUESTION, config))
        return runnable.invoke(QUESTION, config)


def in_a_function(*retrievers: Runnable[str, list[Document]]) -> Any:
    """Asks one after the other; they find the call's config by themselves."""

    def search(question: str) -> list[Any]:
        return [retriever.invoke(question) for retriever in retrievers]

    async def asearch(question: str) -> list[Any]:
        return [await retriever.ainvoke(question) for retriever in retrievers]

    return RunnableLambda(search, asearch)


# Tracers of a whole process or context


class Service(Client):
    """LangSmith's client, without a server."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9", api_key="none", auto_batch_tracing=False, info={})
        self.seen: list[str] = []

    def create_run(self, *arguments: Any, **run: Any) -> None:
        self.seen.append(repr((arguments, run)))

    def update_run(self, *arguments: Any, **run: Any) -> None:
        self.seen.append(repr((arguments, run)))


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    # Older clients have nothing to close.
    getattr(service, "close", lambda: None)()


@pytest.mark.sampled(5)
@DRIVERS
@RETRIEVERS_OF_ALL_KINDS
def test_langsmith_sees_only_what_was_returned(
    make: Callable[[], PermissionAwareRetriever], service: Service, asynchronous: bool
) -> None:
    with tracing_context(enabled=True, client=service):
        ask(in_a_function(make()), asynchronous=asynchronous)

    assert_shows_only_what_was_returned(service.seen)


@pytest.mark.sampled(5)
@DRIVERS
@RETRIEVERS_OF_ALL_KINDS
def test_langsmiths_tracer_for_a_block_sees_only_what_was_returned(
    make: Callable[[], PermissionAwareRetriever], service: Service, asynchronous: bool
) -> None:
    with tracing_v2_enabled(client=service):
        ask(in_a_function(make()), asynchronous=asynchronous)

    assert_shows_only_what_was_returned(service.seen)


@pytest.mark.sampled(5)
@DRIVERS
@RETRIEVERS_OF_ALL_KINDS
def test_another_tracer_in_its_place_sees_only_what_was_returned(
    make: Callable[[], PermissionAwareRetriever], asynchronous: bool
) -> None:
    watcher: Any = Watcher()
    token = tracing_v2_callback_var.set(watcher)
    try:
        ask(in_a_function(make()), asynchronous=asynchronous)
    finally:
        tracing_v2_callback_var.reset(token)

    assert_shows_only_what_was_returned(watcher.seen)


@pytest.mark.sampled(5)
@DRIVERS
@RETRIEVERS_OF_ALL_KINDS
def test_collected_runs_show_only_what_was_returned(
    make: Callable[[], PermissionAwareRetriever], asynchronous: bool
) -> None:
    with collect_runs() as collected:
        ask(make(), asynchronous=asynchronous)

    assert_shows_only_what_was_returned([repr(run.outputs) for run in collected.traced_runs])


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Yields the records of an instrumentation that patches LangChain's classes."""
    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    LangChainInstrumentor().instrument(tracer_provider=provider)
    yield spans
    LangChainInstrumentor().uninstrument()
    provider.shutdown()


@pytest.mark.sampled(5)
@DRIVERS
@RETRIEVERS_OF_ALL_KINDS
def test_opentelemetrys_spans_show_only_what_was_returned(
    make: Callable[[], PermissionAwareRetriever], spans: InMemorySpanExporter, asynchronous: bool
) -> None:
    ask(in_a_function(make()), asynchronous=asynchronous)

    assert_shows_only_what_was_returned([span.to_json() for span in spans.get_finished_spans()])


@DRIVERS
@pytest.mark.parametrize("debugging", [False, True])
def test_what_is_printed_of_runs_shows_only_what_was_returned(
    debugging: bool, asynchronous: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    tool = over_another(AsksATool).as_tool()
    tool.verbose = True

    set_debug(debugging)
    try:
        ask(tool, asynchronous=asynchronous)
    finally:
        set_debug(False)

    assert_shows_only_what_was_returned(capsys.readouterr().out.splitlines())


class MadeByTheEnvironment(BaseCallbackHandler):
    seen: list[str] = []  # noqa: RUF012 - LangChain makes a handler for each run

    def on_retriever_end(self, documents: Any, **_: Any) -> None:
        self.seen.append(repr(documents))


register_configure_hook(
    ContextVar("made_by_the_environment", default=None),
    inheritable=True,
    handle_class=MadeByTheEnvironment,
    env_var="A_TRACER_IS_WANTED",
)


@pytest.mark.sampled(5)
@DRIVERS
@RETRIEVERS_OF_ALL_KINDS
def test_a_tracer_that_the_environment_asks_for_sees_only_what_was_returned(
    make: Callable[[], PermissionAwareRetriever],
    asynchronous: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("A_TRACER_IS_WANTED", "true")
    MadeByTheEnvironment.seen.clear()

    ask(make(), asynchronous=asynchronous)

    assert_shows_only_what_was_returned(MadeByTheEnvironment.seen)


# What stays as it was


class Watcher(BaseCallbackHandler):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def on_retriever_end(self, documents: Any, **_: Any) -> None:
        self.seen.append(repr(documents))

    def on_retriever_error(self, error: Any, **_: Any) -> None:
        self.seen.append(repr(error))

    def on_custom_event(self, name: str, data: Any, **_: Any) -> None:
        self.seen.append(repr((name, data)))


class Failing(BaseRetriever):
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        raise ConnectionError("The store is away.")


SOMETHING_ELSE = ListRetriever(documents=[Document("something else")])


@DRIVERS
def test_a_retrieval_after_it_is_traced(asynchronous: bool, service: Service) -> None:
    watcher = Watcher()
    searches = in_a_function(RETRIEVERS["an ensemble"](), SOMETHING_ELSE)

    with collect_runs() as collected, tracing_context(enabled=True, client=service):
        ask(searches, {"callbacks": [watcher]}, asynchronous=asynchronous)

    for seen in (watcher.seen, service.seen, [repr(run.outputs) for run in collected.traced_runs]):
        assert_shows_only_what_was_returned(seen, ["something else"])


@DRIVERS
def test_a_failure_of_the_search_is_traced_and_so_is_what_comes_after_it(
    asynchronous: bool, service: Service
) -> None:
    watcher = Watcher()
    failing = over_another(lambda: HandsOnNothing(inner=Failing()))
    searches = in_a_function(
        failing.with_fallbacks([SOMETHING_ELSE]),
        SOMETHING_ELSE,
    )

    with tracing_context(enabled=True, client=service):
        ask(searches, {"callbacks": [watcher]}, asynchronous=asynchronous)

    assert sum("searched: ConnectionError" in each for each in watcher.seen) == 1
    assert sum("something else" in each for each in watcher.seen) == 2
    assert any("searched: ConnectionError" in each for each in service.seen)
    assert not any("The store is away." in each for each in [*watcher.seen, *service.seen])


class Waiting(HandsOnNothing):
    """Waits, before it asks, until another retrieval is over."""

    searching: Any
    others_are_done: Any

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        self.searching.set()
        assert self.others_are_done.wait(10)
        return super()._get_relevant_documents(query, run_manager=run_manager)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        self.searching.set()
        assert await asyncio.to_thread(self.others_are_done.wait, 10)
        return await super()._aget_relevant_documents(query, run_manager=run_manager)


@DRIVERS
def test_other_retrievals_at_the_same_time_are_traced_in_full(asynchronous: bool) -> None:
    searching, others_are_done = threading.Event(), threading.Event()
    retriever = over_another(
        lambda: Waiting(inner=ListRetriever(), searching=searching, others_are_done=others_are_done)
    ).for_subject(ALICE)
    watcher, watcher_of_the_other = Watcher(), Watcher()
    config: RunnableConfig = {"callbacks": [watcher]}
    config_of_the_other: RunnableConfig = {"callbacks": [watcher_of_the_other]}
    other = in_a_function(HandsItsCallbacksOn(inner=HandsOnNothing(inner=SOMETHING_ELSE)))

    async def in_tasks() -> None:
        task = asyncio.create_task(in_a_function(retriever).ainvoke(QUESTION, config))
        assert await asyncio.to_thread(searching.wait, 10)
        await other.ainvoke(QUESTION, config_of_the_other)
        others_are_done.set()
        await task

    def in_threads() -> None:
        thread = threading.Thread(target=in_a_function(retriever).invoke, args=[QUESTION, config])
        thread.start()
        assert searching.wait(10)
        other.invoke(QUESTION, config_of_the_other)
        others_are_done.set()
        thread.join()

    asyncio.run(in_tasks()) if asynchronous else in_threads()

    assert sum("something else" in each for each in watcher_of_the_other.seen) == 3
    assert_shows_only_what_was_returned(watcher.seen)


own_variable: ContextVar[str] = ContextVar("own_variable")


@DRIVERS
def test_the_search_sees_its_callers_context_and_config(asynchronous: bool) -> None:
    seen: list[Any] = []

    class Looking(ListRetriever):
        def _get_relevant_documents(
            self, query: str, *, run_manager: CallbackManagerForRetrieverRun
        ) -> list[Document]:
            config = ensure_config()
            seen.extend((own_variable.get(), resolve_subject()))
            seen.extend((config["configurable"], config["tags"], config["metadata"]))
            return super()._get_relevant_documents(query, run_manager=run_manager)

    config = {"configurable": {"tenant": 7}, "tags": ["mine"], "metadata": {"for": "me"}}
    token = own_variable.set("mine")
    try:
        ask(in_a_function(over_another(Looking)), config, asynchronous=asynchronous)
    finally:
        own_variable.reset(token)

    assert seen == ["mine", ALICE, {"tenant": 7}, ["mine"], {"for": "me"}]
    assert var_child_runnable_config.get() is None


class Reporting(ListRetriever):
    """Dispatches events of its own, which needs a run around it."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        dispatch_custom_event("found", self.documents)
        return super()._get_relevant_documents(query, run_manager=run_manager)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        await adispatch_custom_event("found", self.documents)
        return await super()._aget_relevant_documents(query, run_manager=run_manager)


@DRIVERS
def test_events_of_its_own_do_not_fail_and_are_not_seen(asynchronous: bool) -> None:
    watcher = Watcher()
    searches = in_a_function(over_another(Reporting))

    (found,) = ask(searches, {"callbacks": [watcher]}, asynchronous=asynchronous)

    assert len(found) == len(FINE)
    assert_shows_only_what_was_returned(watcher.seen)


def test_it_can_be_streamed_to_a_model_that_is_traced() -> None:
    watcher = Watcher()
    model = FakeListChatModel(responses=["An answer."])
    retriever = RETRIEVERS["an ensemble"]().for_subject(ALICE)
    chain = retriever | RunnableLambda(repr) | model

    async def events() -> list[str]:
        return [
            repr(event) async for event in chain.astream_events(QUESTION, {"callbacks": [watcher]})
        ]

    assert_shows_only_what_was_returned(asyncio.run(events()), [*[each.text for each in FINE], "A"])
