"""LlamaIndex retrievers that find what may not be seen, and call each other in many ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from llama_index.core import SummaryIndex, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.llms import MockLLM
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle

from managed_sync.llama_index import PermissionAwareRetriever
from managed_sync.retrieval.effects import Strategy
from tests.adversarial.traced_passages import PASSAGES, checker
from tests.support.frameworks import STRATEGIES, LlamaIndex
from tests.support.keywords import FixedKeywords, KeywordPassage
from tests.support.passages import InOrderToo


class ListOfNodes(BaseRetriever):
    """Finds the same nodes for every question; like most, it has no asynchronous way."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=each.node, score=each.score) for each in PASSAGES]


class BothWays(ListOfNodes):
    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=each.node, score=each.score) for each in PASSAGES]


class CallsItsBase(BothWays):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return super()._retrieve(query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await super()._aretrieve(query_bundle)


class OverAnother(BaseRetriever):
    def __init__(self, inner: BaseRetriever) -> None:
        super().__init__()
        self.inner = inner

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self.inner.retrieve(query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await self.inner.aretrieve(query_bundle)


class Yields(OverAnother):
    """Works only while its nodes are read."""

    def _retrieve(self, query_bundle: QueryBundle) -> Iterator[NodeWithScore]:  # type: ignore[override]
        yield from self.inner.retrieve(query_bundle)

    async def _aretrieve(self, query_bundle: QueryBundle) -> Iterator[NodeWithScore]:  # type: ignore[override]
        return self._retrieve(query_bundle)


class YieldsSynchronously(OverAnother):
    def _retrieve(self, query_bundle: QueryBundle) -> Iterator[NodeWithScore]:  # type: ignore[override]
        yield from self.inner.retrieve(query_bundle)

    _aretrieve = BaseRetriever._aretrieve


class IndexWhoseRetrieverIsMadeByAsking(VectorStoreIndex):
    def as_retriever(self, **kwargs: Any) -> BaseRetriever:
        ListOfNodes().retrieve("question")
        return super().as_retriever(**kwargs)


class InThreadsToo(OverAnother):
    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self.inner.retrieve, query_bundle)


def fused(*retrievers: BaseRetriever, use_async: bool = True) -> BaseRetriever:
    return QueryFusionRetriever(
        list(retrievers), llm=MockLLM(), num_queries=1, similarity_top_k=60, use_async=use_async
    )


def own_retriever() -> BaseRetriever:
    store = LlamaIndex(asynchronous=False).shared_store(PASSAGES)
    retriever: BaseRetriever = store.as_retriever(similarity_top_k=6)
    return retriever


OTHERS: dict[str, Callable[[], BaseRetriever]] = {
    "an index's own retriever": own_retriever,
    "a list": ListOfNodes,
    "a list with both ways": BothWays,
    "a class that calls its base": CallsItsBase,
    "a retriever over another": lambda: OverAnother(ListOfNodes()),
    "a retriever that yields": lambda: Yields(ListOfNodes()),
    "a retriever that yields in a thread": lambda: YieldsSynchronously(ListOfNodes()),
    "a retriever that uses threads": lambda: InThreadsToo(ListOfNodes()),
    "a retriever over others": lambda: fused(ListOfNodes(), OverAnother(BothWays())),
    "a retriever over others, one by one": lambda: fused(ListOfNodes(), use_async=False),
    "retrievers three deep": lambda: OverAnother(fused(OverAnother(CallsItsBase()))),
}


def over_an_index(strategy: Strategy, **settings: Any) -> PermissionAwareRetriever:
    index = LlamaIndex(asynchronous=False).shared_store(PASSAGES)
    return PermissionAwareRetriever(index, checker=checker(), k=6, strategy=strategy, **settings)


class KeywordsThatAskARetriever(FixedKeywords):
    def search(self, *arguments: Any, **more: Any) -> list[KeywordPassage]:
        ListOfNodes().retrieve("question")
        return super().search(*arguments, **more)


class PostprocessorThatAsksARetriever(BaseNodePostprocessor):
    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        return [*ListOfNodes().retrieve("question"), *nodes]


def with_keywords(strategy: Strategy, **settings: Any) -> PermissionAwareRetriever:
    index = KeywordsThatAskARetriever(
        [KeywordPassage(each.chunk_id, each.text, each.metadata) for each in PASSAGES[::-1]]
    )
    return over_an_index(strategy, keywords=index, **settings)


def over_an_index_that_asks_a_model() -> PermissionAwareRetriever:
    """Its prompts hold the texts of all that could be found."""

    def choose_all(_: str, count: int) -> tuple[list[int], None]:
        return list(range(1, count + 1)), None

    return PermissionAwareRetriever(
        SummaryIndex([passage.node for passage in PASSAGES]),
        checker=checker(),
        k=6,
        retriever_mode="llm",
        llm=MockLLM(),
        parse_choice_select_answer_fn=choose_all,
    )


def over_an_index_that_asks_first() -> PermissionAwareRetriever:
    index = IndexWhoseRetrieverIsMadeByAsking(
        [passage.node for passage in PASSAGES], embed_model=InOrderToo()
    )
    return PermissionAwareRetriever(index, checker=checker(), k=6)


def over_another(make: Callable[[], BaseRetriever]) -> PermissionAwareRetriever:
    return PermissionAwareRetriever.from_retriever(make(), checker=checker(), k=6)


RETRIEVERS: dict[str, Callable[[], PermissionAwareRetriever]] = {
    **{strategy: partial(over_an_index, strategy) for strategy in STRATEGIES},
    "keywords": partial(with_keywords, "auto"),
    "keywords and a reranker that asks a retriever": partial(
        with_keywords, "pre_filter", reranker=PostprocessorThatAsksARetriever()
    ),
    "an index that asks a model": over_an_index_that_asks_a_model,
    "an index that asks before it searches": over_an_index_that_asks_first,
    **{name: partial(over_another, make) for name, make in OTHERS.items()},
}
