"""Whoever watches a retrieval sees what it returned, and nothing of what it withheld."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever as LangChainBaseRetriever
from langchain_core.runnables import RunnableLambda, RunnablePassthrough
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.context import register_configure_hook
from langchain_core.tracers.schemas import Run
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index_instrumentation import get_dispatcher

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import AccessCheckError
from managed_sync.langchain import PermissionAwareRetriever as ForLangChain
from managed_sync.llama_index import PermissionAwareRetriever as ForLlamaIndex
from managed_sync.permissions.steps import Strategy
from tests.adversarial.world import (
    ALICE,
    QUESTION,
    STRATEGIES,
    LangChain,
    LlamaIndex,
    Passage,
    Service,
)

# "canary" is in every text, id and title that may not be seen.
PASSAGES = [
    Passage(f"fine {n}", f"file:fine-{n}", f"chunk-fine-{n}", 1 - n / 100, {"title": "Fine"})
    if n % 10 == 7
    else Passage(
        f"canary {n}", f"file:canary-{n}", f"chunk-canary-{n}", 1 - n / 100, {"title": "canary"}
    )
    for n in range(60)
]
FINE = [passage for passage in PASSAGES if "fine" in passage.text]
DOCUMENTS = [passage.document for passage in PASSAGES]


def checker() -> AccessChecker:
    return AccessChecker(Service(alice=[passage.object_id for passage in FINE]))


def broken_checker() -> AccessChecker:
    service = Service()

    def fail(_: str) -> None:
        raise TimeoutError("slow")

    service.before = fail
    return AccessChecker(service)


def assert_shows_only_what_was_returned(seen: list[str], texts: list[str]) -> None:
    everything = "\n".join(seen)
    assert all(text in everything for text in texts)
    leaks = [each for each in seen if "canary" in each]
    assert not leaks, f"{len(leaks)} of {len(seen)} records show it, as {leaks[0][:500]}"


# LangChain


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


class ListRetriever(LangChainBaseRetriever):
    """Finds the same documents for every question."""

    documents: list[Document]

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.documents


class WideningRetriever(ListRetriever):
    k: int = 4

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.documents[: self.k]


def over_a_store(strategy: Strategy) -> ForLangChain:
    store = LangChain(asynchronous=False).store(PASSAGES)
    return ForLangChain(vectorstore=store, checker=checker(), k=6, strategy=strategy)


def over_another(retriever: LangChainBaseRetriever) -> ForLangChain:
    return ForLangChain.from_retriever(retriever, checker=checker(), k=6)


def over_one_that_asks_another(kind: Callable[..., LangChainBaseRetriever]) -> ForLangChain:
    return over_another(kind(inner=ListRetriever(documents=DOCUMENTS)))


def over_a_stores_own_retriever() -> ForLangChain:
    store = LangChain(asynchronous=False).store(PASSAGES)
    return over_another(store.as_retriever(search_kwargs={"k": 6}))


RETRIEVERS: dict[str, Callable[[], ForLangChain]] = {
    **{strategy: partial(over_a_store, strategy) for strategy in STRATEGIES},
    "a store's own retriever": over_a_stores_own_retriever,
    "a list": lambda: over_another(ListRetriever(documents=DOCUMENTS)),
    "a retriever with k": lambda: over_another(WideningRetriever(documents=DOCUMENTS)),
}
_global_handler: ContextVar[BaseCallbackHandler | None] = ContextVar("handler", default=None)
# As LangSmith's and other tracers are switched on for all that runs.
register_configure_hook(_global_handler, inheritable=True)


@pytest.fixture(params=[Tracer, Handler])
def watcher(request: pytest.FixtureRequest) -> Any:
    return request.param()


def alone(retriever: ForLangChain) -> tuple[Any, Any]:
    return retriever, QUESTION


def in_a_chain(retriever: ForLangChain) -> tuple[Any, Any]:
    return RunnableLambda(str) | {"found": retriever, "asked": RunnablePassthrough()}, QUESTION


def as_tool(retriever: ForLangChain) -> tuple[Any, Any]:
    return retriever.as_tool(), {"query": QUESTION}


def run_watched(
    retriever: ForLangChain, surrounding: Any, watcher: Any, how: str, *, asynchronous: bool
) -> None:
    runnable, question = surrounding(retriever)
    config: Any = {"configurable": {"subject": ALICE}}
    if how == "by config":
        config["callbacks"] = [watcher]
    token = _global_handler.set(watcher if how == "by a global hook" else None)
    try:
        if asynchronous:
            asyncio.run(runnable.ainvoke(question, config=config))
        else:
            runnable.invoke(question, config=config)
    finally:
        _global_handler.reset(token)


SURROUNDINGS = pytest.mark.parametrize("surrounding", [alone, in_a_chain, as_tool])
HOW = pytest.mark.parametrize("how", ["by config", "by a global hook"])
DRIVERS = pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])


@SURROUNDINGS
@HOW
@DRIVERS
@pytest.mark.parametrize("make", RETRIEVERS.values(), ids=RETRIEVERS)
def test_langchains_callbacks_see_only_what_was_returned(
    make: Callable[[], ForLangChain], surrounding: Any, watcher: Any, how: str, asynchronous: bool
) -> None:
    run_watched(make(), surrounding, watcher, how, asynchronous=asynchronous)

    assert_shows_only_what_was_returned(watcher.seen, [passage.text for passage in FINE])


@DRIVERS
def test_langchains_callbacks_see_only_that_a_check_failed(
    watcher: Any, asynchronous: bool
) -> None:
    store = LangChain(asynchronous=False).store(PASSAGES)
    retriever = ForLangChain(vectorstore=store, checker=broken_checker(), k=6)

    with pytest.raises(AccessCheckError):
        run_watched(retriever, alone, watcher, "by config", asynchronous=asynchronous)

    assert_shows_only_what_was_returned(watcher.seen, ["AccessCheckError"])


# LlamaIndex


class Recorder:
    """Sees all events and all that enters and leaves spans."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        seen = self.seen

        class Events(BaseEventHandler):
            def handle(self, event: Any, **_: Any) -> None:
                seen.append(repr(event))

        class Spans(SimpleSpanHandler):
            def new_span(
                self, id_: str, bound_args: Any, instance: Any = None, *rest: Any, **more: Any
            ) -> Any:
                seen.append(repr((id_, bound_args, instance)))
                return super().new_span(id_, bound_args, instance, *rest, **more)

            def prepare_to_exit_span(
                self, id_: str, bound_args: Any, instance: Any = None, result: Any = None, **_: Any
            ) -> Any:
                seen.append(repr((id_, result)))
                return super().prepare_to_exit_span(id_, bound_args, instance, result)

            def prepare_to_drop_span(
                self, id_: str, bound_args: Any, instance: Any = None, err: Any = None, **_: Any
            ) -> Any:
                seen.append(repr((id_, err)))
                return super().prepare_to_drop_span(id_, bound_args, instance, err)

        self.events, self.spans = Events(), Spans()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder, root = Recorder(), get_dispatcher()
    root.add_event_handler(recorder.events)
    root.add_span_handler(recorder.spans)
    yield recorder
    root.event_handlers.remove(recorder.events)
    root.span_handlers.remove(recorder.spans)


class ListOfNodes(BaseRetriever):
    """Finds the same nodes for every question; like most, it has no asynchronous way."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=each.node, score=each.score) for each in PASSAGES]


class BothWays(ListOfNodes):
    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=each.node, score=each.score) for each in PASSAGES]


def over_an_index(strategy: Strategy) -> ForLlamaIndex:
    index = LlamaIndex(asynchronous=False).store(PASSAGES)
    return ForLlamaIndex(index, checker=checker(), k=6, strategy=strategy)


def over_another_one(retriever: BaseRetriever) -> ForLlamaIndex:
    return ForLlamaIndex.from_retriever(retriever, checker=checker(), k=6)


def over_an_indexs_own_retriever() -> ForLlamaIndex:
    index = LlamaIndex(asynchronous=False).store(PASSAGES)
    return over_another_one(index.as_retriever(similarity_top_k=6))


INDEXES: dict[str, Callable[[], ForLlamaIndex]] = {
    **{strategy: partial(over_an_index, strategy) for strategy in STRATEGIES},
    "an index's own retriever": over_an_indexs_own_retriever,
    "a list with both ways": lambda: over_another_one(BothWays()),
}


@DRIVERS
@pytest.mark.parametrize("make", INDEXES.values(), ids=INDEXES)
@pytest.mark.parametrize("through", ["retriever", "tool", "query engine"])
def test_llama_indexs_events_and_spans_see_only_what_was_returned(
    make: Callable[[], ForLlamaIndex], recorder: Recorder, through: str, asynchronous: bool
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

    assert_shows_only_what_was_returned(recorder.seen, [passage.text for passage in FINE])


@DRIVERS
def test_llama_indexs_events_and_spans_see_only_that_a_check_failed(
    recorder: Recorder, asynchronous: bool
) -> None:
    index = LlamaIndex(asynchronous=False).store(PASSAGES)
    retriever = ForLlamaIndex(index, checker=broken_checker(), k=6).for_subject(ALICE)
    recorder.seen.clear()

    with pytest.raises(AccessCheckError):
        asyncio.run(retriever.aretrieve(QUESTION)) if asynchronous else retriever.retrieve(QUESTION)

    assert_shows_only_what_was_returned(recorder.seen, ["AccessCheckError"])
