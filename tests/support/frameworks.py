"""The four ways to ask for passages: both frameworks' retrievers, with and without ``await``."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import StorageContext, VectorStoreIndex

from managed_sync import AccessChecker, RetrievalReport
from managed_sync.langchain import PermissionAwareRetriever as LangChainRetriever
from managed_sync.llama_index import PermissionAwareRetriever as LlamaIndexRetriever
from managed_sync.retrieval.effects import Strategy
from tests.support.passages import (
    InOrder,
    InOrderToo,
    Passage,
    RankedStore,
    RankedVectorStore,
    Ranking,
)

ALICE, BOB = "alice@x.example", "bob@x.example"
STRATEGIES: list[Strategy] = ["auto", "post_filter", "pre_filter"]
QUESTION = "question"
_SHARED: dict[tuple[type, int], tuple[Sequence[Passage], Any]] = {}


@dataclass(frozen=True)
class Found:
    """The result of a retrieval."""

    texts: list[str]
    object_ids: list[Any]
    report: RetrievalReport


class Way(ABC):
    """A framework's retriever, asked synchronously or asynchronously."""

    def __init__(self, *, asynchronous: bool) -> None:
        self.asynchronous = asynchronous

    def __str__(self) -> str:
        return f"{type(self).__name__}-{'async' if self.asynchronous else 'sync'}"

    @abstractmethod
    def store(self, passages: Sequence[Passage]) -> Any:
        """A store of the framework with these passages in it."""

    def shared_store(self, passages: Sequence[Passage]) -> Any:
        """The same store for each test that gives the same list; none of them may change it."""
        key = type(self), id(passages)
        if key not in _SHARED:
            # The list is kept, so that no other one can have its id.
            _SHARED[key] = passages, self.store(passages)
        return _SHARED[key][1]

    @abstractmethod
    def store_over(self, ranking: Ranking) -> Any:
        """The same kind of store, whose searches the ranking answers."""

    @abstractmethod
    def retriever(self, store: Any, checker: AccessChecker, **settings: Any) -> Any: ...

    @abstractmethod
    def read(self, passage: Any) -> tuple[str, Any]:
        """Text and object id of what the framework returned."""

    def ask(self, retriever: Any, subject: Any = ALICE) -> Found:
        if self.asynchronous:
            return asyncio.run(self.ask_in_task(retriever, subject))
        return self._found(*retriever.retrieve_with_report(QUESTION, subject=subject))

    async def ask_in_task(self, retriever: Any, subject: Any = ALICE) -> Found:
        return self._found(*await retriever.aretrieve_with_report(QUESTION, subject=subject))

    def _found(self, passages: Sequence[Any], report: RetrievalReport) -> Found:
        read = [self.read(passage) for passage in passages]
        return Found([text for text, _ in read], [object_id for _, object_id in read], report)


class LangChain(Way):
    def store(self, passages: Sequence[Passage]) -> InMemoryVectorStore:
        store = InMemoryVectorStore(InOrder())
        store.add_documents([each.document for each in passages])
        return store

    def store_over(self, ranking: Ranking) -> InMemoryVectorStore:
        return RankedStore(ranking)

    def retriever(self, store: Any, checker: AccessChecker, **settings: Any) -> LangChainRetriever:
        return LangChainRetriever(vectorstore=store, checker=checker, **settings)

    def read(self, passage: Document) -> tuple[str, Any]:
        return passage.page_content, passage.metadata.get("object_id")


class LlamaIndex(Way):
    def store(self, passages: Sequence[Passage]) -> VectorStoreIndex:
        return VectorStoreIndex([each.node for each in passages], embed_model=InOrderToo())

    def store_over(self, ranking: Ranking) -> VectorStoreIndex:
        storage = StorageContext.from_defaults(vector_store=RankedVectorStore(ranking))
        return VectorStoreIndex([], storage_context=storage, embed_model=InOrderToo())

    def retriever(self, store: Any, checker: AccessChecker, **settings: Any) -> LlamaIndexRetriever:
        return LlamaIndexRetriever(store, checker=checker, **settings)

    def read(self, passage: Any) -> tuple[str, Any]:
        return passage.node.text, passage.node.metadata.get("object_id")


WAYS: list[Way] = [
    framework(asynchronous=asynchronous)
    for framework in (LangChain, LlamaIndex)
    for asynchronous in (False, True)
]
