"""Retrievers that find what may not be seen, and pass it around in all the ways that they can."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from langchain_classic.retrievers import (
    ContextualCompressionRetriever,
    EnsembleRetriever,
    MergerRetriever,
)
from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    CallbackManagerForRetrieverRun,
)
from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import create_retriever_tool
from langchain_core.vectorstores import InMemoryVectorStore
from langsmith import traceable

from managed_sync.langchain import PermissionAwareRetriever, PermissionFilter
from managed_sync.retrieval.effects import Strategy
from tests.adversarial.traced_passages import PASSAGES, checker
from tests.support.frameworks import ALICE, STRATEGIES, LangChain
from tests.support.keywords import FixedKeywords, KeywordPassage
from tests.support.passages import RankedStore, Ranking

DOCUMENTS = [passage.document for passage in PASSAGES]


class ListRetriever(BaseRetriever):
    """Finds the same documents for every question."""

    documents: list[Document] = DOCUMENTS

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


class Yields(BaseRetriever):
    """Works only while its documents are read, which LangChain lets it do."""

    inner: Any

    def _get_relevant_documents(  # type: ignore[override]
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> Iterator[Document]:
        yield from self.inner.invoke(query)


class YieldsInBothWays(Yields):
    async def _aget_relevant_documents(  # type: ignore[override]
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> Iterator[Document]:
        def found() -> Iterator[Document]:
            yield from self.inner.invoke(query)

        return found()


class HandsItsCallbacksOn(BaseRetriever):
    inner: Any

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        found: list[Document] = self.inner.invoke(query, {"callbacks": run_manager.get_child()})
        return found

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        config: Any = {"callbacks": run_manager.get_child()}
        found: list[Document] = await self.inner.ainvoke(query, config)
        return found


class HandsOnNothing(BaseRetriever):
    inner: Any

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        found: list[Document] = self.inner.invoke(query)
        return found

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun
    ) -> list[Document]:
        found: list[Document] = await self.inner.ainvoke(query)
        return found


class SynchronousOnly(BaseRetriever):
    inner: Any

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        run_manager.on_text(f"found {DOCUMENTS}")
        with ThreadPoolExecutor() as threads:
            found: list[Document] = threads.submit(
                copy_context().run, self.inner.invoke, query
            ).result()
        return found


class Traced(BaseRetriever):
    """Uses what LangSmith offers for functions."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return find_traced(query)


@traceable
def find_traced(_: str) -> list[Document]:
    return DOCUMENTS


class AsksATool(BaseRetriever):
    """Its tool is verbose: it prints what it answers."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        tool = create_retriever_tool(ListRetriever(), "search", "Searches.")
        tool.verbose = True
        tool.invoke({"query": query})
        tool.invoke({"query": query}, {"callbacks": run_manager.get_child()})
        return ListRetriever().invoke(query)


class StoreThatAsksARetriever(RankedStore):
    def similarity_search_with_score(
        self, query: str, k: int = 4, *arguments: Any, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        ListRetriever().invoke(query)
        return super().similarity_search_with_score(query, k, *arguments, **kwargs)

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        await ListRetriever().ainvoke(query)
        return super().similarity_search_with_score(query, k, **kwargs)


class StoreThatYields(RankedStore):
    """Works only while its hits are read."""

    def similarity_search_with_score(  # type: ignore[override]
        self, query: str, k: int = 4, *arguments: Any, **kwargs: Any
    ) -> Iterator[tuple[Document, float]]:
        ListRetriever().invoke(query)
        yield from super().similarity_search_with_score(query, k, *arguments, **kwargs)

    async def asimilarity_search_with_score(  # type: ignore[override]
        self, query: str, k: int = 4, **kwargs: Any
    ) -> Iterator[tuple[Document, float]]:
        return self.similarity_search_with_score(query, k, **kwargs)


class KeywordsThatAskARetriever(FixedKeywords):
    def search(self, *arguments: Any, **more: Any) -> list[KeywordPassage]:
        ListRetriever().invoke("question")
        return super().search(*arguments, **more)


class CompressorThatAsksARetriever(BaseDocumentCompressor):
    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Any = None
    ) -> Sequence[Document]:
        return [*ListRetriever().invoke(query), *documents]


def with_keywords(strategy: Strategy, **settings: Any) -> PermissionAwareRetriever:
    index = KeywordsThatAskARetriever(
        [KeywordPassage(each.chunk_id, each.text, each.metadata) for each in PASSAGES[::-1]]
    )
    return over_a_store(strategy, keywords=index, **settings)


def over_a_store(
    strategy: Strategy, kind: Callable[[], InMemoryVectorStore] | None = None, **settings: Any
) -> PermissionAwareRetriever:
    store = kind() if kind else LangChain(asynchronous=False).shared_store(PASSAGES)
    return PermissionAwareRetriever(
        vectorstore=store, checker=checker(), k=6, strategy=strategy, **settings
    )


def over_another(make: Callable[[], BaseRetriever]) -> PermissionAwareRetriever:
    return PermissionAwareRetriever.from_retriever(make(), checker=checker(), k=6)


def stores_own_retriever() -> BaseRetriever:
    store = LangChain(asynchronous=False).shared_store(PASSAGES)
    retriever: BaseRetriever = store.as_retriever(search_kwargs={"k": 6})
    return retriever


def chained() -> Any:
    """A runnable that asks several retrievers, in a sequence and side by side."""
    both = RunnableParallel(one=ListRetriever(), two=HandsOnNothing(inner=ListRetriever()))
    return RunnableLambda(str) | both | RunnableLambda(lambda found: found["one"])


def ensemble() -> BaseRetriever:
    return EnsembleRetriever(
        retrievers=[ListRetriever(), HandsOnNothing(inner=ListRetriever())], weights=[0.5, 0.5]
    )


def compressing() -> BaseRetriever:
    return ContextualCompressionRetriever(
        base_retriever=ListRetriever(),
        base_compressor=PermissionFilter(checker=checker(), bound_subject=ALICE),
    )


OTHERS: dict[str, Callable[[], BaseRetriever]] = {
    "a store's own retriever": stores_own_retriever,
    "a list": ListRetriever,
    "a retriever with k": WideningRetriever,
    "one that hands its callbacks on": lambda: HandsItsCallbacksOn(inner=ListRetriever()),
    "one that hands on nothing": lambda: HandsOnNothing(inner=ListRetriever()),
    "one that yields": lambda: Yields(inner=ListRetriever()),
    "one that yields in both ways": lambda: YieldsInBothWays(inner=ListRetriever()),
    "one with a thread": lambda: SynchronousOnly(inner=ListRetriever()),
    "one that is three deep": lambda: HandsOnNothing(
        inner=HandsItsCallbacksOn(inner=HandsOnNothing(inner=ListRetriever()))
    ),
    "one over a chain": lambda: HandsOnNothing(inner=chained()),
    "one over a chain, with its callbacks": lambda: HandsItsCallbacksOn(inner=chained()),
    "an ensemble": ensemble,
    "an ensemble in another": lambda: HandsItsCallbacksOn(inner=ensemble()),
    "merged ones": lambda: MergerRetriever(retrievers=[ListRetriever(), ListRetriever()]),
    "a compression": compressing,
    "one that uses a traced function": Traced,
}
RETRIEVERS: dict[str, Callable[[], PermissionAwareRetriever]] = {
    **{strategy: partial(over_a_store, strategy) for strategy in STRATEGIES},
    "keywords": partial(with_keywords, "auto"),
    "keywords and a reranker that asks a retriever": partial(
        with_keywords, "pre_filter", reranker=CompressorThatAsksARetriever()
    ),
    "mmr": partial(over_a_store, "auto", search_type="mmr"),
    "a store that asks a retriever": partial(
        over_a_store, "auto", partial(StoreThatAsksARetriever, Ranking(PASSAGES))
    ),
    "a store that yields": partial(
        over_a_store, "auto", partial(StoreThatYields, Ranking(PASSAGES))
    ),
    **{name: partial(over_another, make) for name, make in OTHERS.items()},
}
