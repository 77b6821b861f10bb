"""Whoever watches a LlamaIndex retrieval sees what it returned, and nothing that it withheld."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import pytest
from llama_index.core import Settings
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index_instrumentation import get_dispatcher
from llama_index_instrumentation.dispatcher import Dispatcher

from managed_sync import acting_as
from managed_sync.errors import AccessCheckError, StoreSearchError
from managed_sync.llama_index import PermissionAwareRetriever
from tests.adversarial.llama_index_retrievers import (
    RETRIEVERS,
    ListOfNodes,
    OverAnother,
    fused,
    over_another,
)
from tests.adversarial.traced_passages import (
    FINE,
    assert_shows_only_what_was_returned,
    broken_checker,
    checker,
)
from tests.support.frameworks import ALICE, QUESTION


class Recorder:
    """Sees all events, all that enters and leaves spans, and all callbacks."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.open_spans: set[str] = set()
        seen, open_spans = self.seen, self.open_spans

        class Events(BaseEventHandler):
            def handle(self, event: Any, **_: Any) -> None:
                seen.append(repr(event))

        class Spans(SimpleSpanHandler):
            def new_span(
                self, id_: str, bound_args: Any, instance: Any = None, *rest: Any, **more: Any
            ) -> Any:
                open_spans.add(id_)
                seen.append(repr((id_, bound_args, instance)))
                return super().new_span(id_, bound_args, instance, *rest, **more)

            def prepare_to_exit_span(
                self, id_: str, bound_args: Any, instance: Any = None, result: Any = None, **_: Any
            ) -> Any:
                seen.append(repr((id_, result)))
                open_spans.remove(id_)
                return super().prepare_to_exit_span(id_, bound_args, instance, result)

            def prepare_to_drop_span(
                self, id_: str, bound_args: Any, instance: Any = None, err: Any = None, **_: Any
            ) -> Any:
                seen.append(repr((id_, err)))
                open_spans.remove(id_)
                return super().prepare_to_drop_span(id_, bound_args, instance, err)

        self.events, self.spans, self.callbacks = Events(), Spans(), Callbacks(self.seen)


class Callbacks(BaseCallbackHandler):
    """Keeps what LlamaIndex's older callbacks are given."""

    def __init__(self, seen: list[str]) -> None:
        super().__init__([], [])
        self._seen = seen

    def on_event_start(
        self, event_type: Any, payload: Any = None, event_id: str = "", *_: Any, **__: Any
    ) -> str:
        self._seen.append(f"start {event_type} {payload!r}")
        return event_id

    def on_event_end(self, event_type: Any, payload: Any = None, *_: Any, **__: Any) -> None:
        self._seen.append(f"end {event_type} {payload!r}")

    def start_trace(self, trace_id: str | None = None) -> None:
        self._seen.append(f"start {trace_id}")

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None:
        self._seen.append(f"end {trace_id} {trace_map!r}")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder, root = Recorder(), get_dispatcher()
    root.add_event_handler(recorder.events)
    root.add_span_handler(recorder.spans)
    monkeypatch.setattr(Settings, "_callback_manager", CallbackManager([recorder.callbacks]))
    yield recorder
    root.event_handlers.remove(recorder.events)
    root.span_handlers.remove(recorder.spans)


DRIVERS = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


def ask(retriever: Any, *, asynchronous: bool) -> Any:
    if asynchronous:
        return asyncio.run(retriever.aretrieve(QUESTION))
    return retriever.retrieve(QUESTION)


@pytest.mark.sampled(7)
@DRIVERS
@pytest.mark.parametrize("make", RETRIEVERS.values(), ids=RETRIEVERS)
@pytest.mark.parametrize("through", ["retriever", "tool", "query engine"])
def test_events_spans_and_callbacks_see_only_what_was_returned(
    make: Callable[[], PermissionAwareRetriever],
    recorder: Recorder,
    through: str,
    asynchronous: bool,
) -> None:
    retriever = make()
    tool = retriever.as_tool()
    engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    recorder.seen.clear()

    asked: dict[str, tuple[Callable[[str], Any], Callable[[str], Any]]] = {
        "retriever": (retriever.retrieve, retriever.aretrieve),
        "tool": (tool.call, tool.acall),
        "query engine": (engine.query, engine.aquery),
    }
    with acting_as(ALICE):
        if asynchronous:
            asyncio.run(asked[through][1](QUESTION))
        else:
            asked[through][0](QUESTION)

    assert_shows_only_what_was_returned(recorder.seen)
    assert not recorder.open_spans
    begun, ended = (
        [each for each in recorder.seen if each.startswith(f"{when} query")]
        for when in ("start", "end")
    )
    assert len(begun) == len(ended)


@DRIVERS
def test_events_spans_and_callbacks_see_only_that_a_check_failed(
    recorder: Recorder, asynchronous: bool
) -> None:
    other = fused(ListOfNodes())
    retriever = PermissionAwareRetriever(other, checker=broken_checker(), k=6).for_subject(ALICE)
    recorder.seen.clear()

    with pytest.raises(AccessCheckError):
        ask(retriever, asynchronous=asynchronous)

    assert_shows_only_what_was_returned(recorder.seen, ["AccessCheckError"])
    assert not recorder.open_spans


# What is not withheld is traced as ever


class Failing(ListOfNodes):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        raise ConnectionError("The store is away.")


class Forgiving(OverAnother):
    """Does without another, whose failure says more than may be seen."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        with suppress(ConnectionError):
            Failing().retrieve(query_bundle)
        return super()._retrieve(query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        with suppress(ConnectionError):
            await Failing().aretrieve(query_bundle)
        return await super()._aretrieve(query_bundle)


class Others(BaseRetriever):
    """Finds something that is not withheld from anybody."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=TextNode(text="something else"), score=1.0)]


@DRIVERS
def test_a_failure_that_the_search_gets_over_is_not_seen(
    recorder: Recorder, asynchronous: bool
) -> None:
    retriever = over_another(lambda: Forgiving(ListOfNodes())).for_subject(ALICE)

    ask(retriever, asynchronous=asynchronous)

    assert_shows_only_what_was_returned(recorder.seen)
    assert not any("The store is away." in each for each in recorder.seen)


@DRIVERS
def test_a_retrieval_after_it_is_traced(recorder: Recorder, asynchronous: bool) -> None:
    retriever = over_another(lambda: fused(ListOfNodes())).for_subject(ALICE)

    async def one_after_the_other() -> None:
        await retriever.aretrieve(QUESTION)
        await Others().aretrieve(QUESTION)

    if asynchronous:
        asyncio.run(one_after_the_other())
    else:
        retriever.retrieve(QUESTION)
        Others().retrieve(QUESTION)

    assert_shows_only_what_was_returned(recorder.seen, ["something else"])


@DRIVERS
def test_a_failure_of_the_search_is_traced_and_so_is_what_comes_after_it(
    recorder: Recorder, asynchronous: bool
) -> None:
    retriever = over_another(lambda: OverAnother(Failing())).for_subject(ALICE)

    async def one_after_the_other() -> None:
        with pytest.raises(StoreSearchError):
            await retriever.aretrieve(QUESTION)
        await Others().aretrieve(QUESTION)

    if asynchronous:
        asyncio.run(one_after_the_other())
    else:
        with pytest.raises(StoreSearchError):
            retriever.retrieve(QUESTION)
        Others().retrieve(QUESTION)

    assert not any("The store is away." in each for each in recorder.seen)
    seen = [each for each in recorder.seen if "searched: ConnectionError" in each]
    assert any("SpanDropEvent" in each for each in seen)
    assert any("EventPayload.EXCEPTION" in each for each in seen)
    assert_shows_only_what_was_returned(recorder.seen, ["something else"])
    assert not recorder.open_spans


class Waiting(OverAnother):
    """Waits, before and after it asks, until another retrieval is over."""

    def __init__(self, inner: BaseRetriever) -> None:
        super().__init__(inner)
        self.searching, self.others_are_done = threading.Event(), threading.Event()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        self.searching.set()
        assert self.others_are_done.wait(10)
        return super()._retrieve(query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        self.searching.set()
        assert await asyncio.to_thread(self.others_are_done.wait, 10)
        return await super()._aretrieve(query_bundle)


@DRIVERS
def test_other_retrievals_at_the_same_time_are_traced_in_full(
    recorder: Recorder, asynchronous: bool
) -> None:
    Others().retrieve(QUESTION)
    alone = len(recorder.seen)
    recorder.seen.clear()
    waiting = Waiting(fused(ListOfNodes()))
    retriever = PermissionAwareRetriever(waiting, checker=checker(), k=6).for_subject(ALICE)

    async def in_tasks() -> int:
        task = asyncio.create_task(retriever.aretrieve(QUESTION))
        assert await asyncio.to_thread(waiting.searching.wait, 10)
        before = len(recorder.seen)
        await Others().aretrieve(QUESTION)
        seen = len(recorder.seen) - before
        waiting.others_are_done.set()
        await task
        return seen

    def in_threads() -> int:
        thread = threading.Thread(target=retriever.retrieve, args=[QUESTION])
        thread.start()
        assert waiting.searching.wait(10)
        before = len(recorder.seen)
        Others().retrieve(QUESTION)
        seen = len(recorder.seen) - before
        waiting.others_are_done.set()
        thread.join()
        return seen

    seen = asyncio.run(in_tasks()) if asynchronous else in_threads()

    # Asked synchronously, a retriever has a span more: that of its "_retrieve".
    assert seen >= alone - asynchronous
    assert_shows_only_what_was_returned(recorder.seen)


own_variable: ContextVar[str] = ContextVar("own_variable")


@DRIVERS
def test_the_search_sees_its_callers_context(asynchronous: bool) -> None:
    seen = []

    class Looking(ListOfNodes):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            seen.append(own_variable.get())
            return super()._retrieve(query_bundle)

    retriever = over_another(Looking).for_subject(ALICE)
    token = own_variable.set("mine")
    try:
        ask(retriever, asynchronous=asynchronous)
    finally:
        own_variable.reset(token)

    assert seen == ["mine"]


def test_a_retriever_without_an_asynchronous_way_does_not_block_the_event_loop() -> None:
    waiting = Waiting(ListOfNodes())

    class WaitingList(ListOfNodes):
        def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
            return waiting._retrieve(query_bundle)

    retriever = over_another(WaitingList).for_subject(ALICE)

    async def search_and_look_elsewhere() -> list[NodeWithScore]:
        task = asyncio.create_task(retriever.aretrieve(QUESTION))
        assert await asyncio.to_thread(waiting.searching.wait, 5)
        waiting.others_are_done.set()
        return await task

    assert len(asyncio.run(search_and_look_elsewhere())) == len(FINE)


def test_every_way_of_llama_index_to_its_handlers_is_known() -> None:
    """Fails if a new version adds a way to handlers that must be closed as well."""
    dispatching = {
        name
        for name, method in vars(Dispatcher).items()
        if inspect.isfunction(method) and "for h in" in inspect.getsource(method)
    }
    calling = {
        name
        for name, method in vars(CallbackManager).items()
        if inspect.isfunction(method) and "for handler in" in inspect.getsource(method)
    }

    closing = {"capture_propagation_context", "restore_propagation_context", "shutdown"}
    assert dispatching - closing == {"event", "aevent", "span_enter", "span_exit", "span_drop"}
    assert calling == {"on_event_start", "on_event_end", "start_trace", "end_trace"}
