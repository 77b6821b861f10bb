"""What the tests of this folder share: passages in a known order, a permission service that can be
made to misbehave, and the four ways to ask for passages.

Passage ``n`` of a store comes ``n``-th for every question, so that what ought to come back can be
told without a search. The stores are the frameworks' own in-memory ones; over a ``Ranking``, which
can misbehave, they keep their class, so that they are known and their filters are used.
"""

from __future__ import annotations

import asyncio
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import (
    MetadataFilter,
    SimpleVectorStore,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from pydantic import PrivateAttr

from managed_sync import AccessCheck, AccessChecker, ManagedSyncClient, RetrievalReport
from managed_sync.langchain import PermissionAwareRetriever as LangChainRetriever
from managed_sync.llama_index import PermissionAwareRetriever as LlamaIndexRetriever
from managed_sync.retrieval.effects import Strategy

ALICE, BOB = "alice@x.example", "bob@x.example"
STRATEGIES: list[Strategy] = ["auto", "post_filter", "pre_filter"]
TOKEN = "a-token-that-nobody-may-see"
QUESTION = "question"


@dataclass(frozen=True)
class Passage:
    """A chunk; an ``object_id`` of ``None`` is left out of its metadata."""

    text: str
    object_id: Any
    chunk_id: Any = None
    score: float | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def metadata(self) -> dict[str, Any]:
        ids = {"object_id": self.object_id, "chunk_id": self.chunk_id}
        return {**{key: value for key, value in ids.items() if value is not None}, **self.more}

    @cached_property
    def document(self) -> Document:
        return Document(self.text, metadata=self.metadata)

    @cached_property
    def node(self) -> TextNode:
        chunk_id = {} if self.chunk_id is None else {"id_": str(self.chunk_id)}
        return TextNode(
            text=self.text,
            metadata=self.metadata,
            # Otherwise the numbers in the ids would be embedded too.
            excluded_embed_metadata_keys=list(self.metadata),
            **chunk_id,
        )


def passages_of(*object_ids: Any) -> list[Passage]:
    """One passage for each id, with scores that fall."""
    return [
        Passage(f"passage {n}", object_id, f"chunk-{n}", 1 - n / 1024)
        for n, object_id in enumerate(object_ids)
    ]


def files(*numbers: int) -> list[str]:
    return [f"file:{number}" for number in numbers]


class Ranking:
    """A store that honestly gives its passages in order; subclasses misbehave."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self.passages = list(passages)
        self.searches = 0

    def search(self, limit: int, is_wanted: Callable[[Passage], bool]) -> list[Passage]:
        self.searches += 1
        assert self.searches < 5_000, "The retrieval does not end."
        return [passage for passage in self.passages if is_wanted(passage)][:limit]


class Service:
    """A permission service in memory that answers by the grants there are when it is asked.

    ``before`` and ``after`` are called around each request, with the name of the client's method.
    """

    def __init__(self, **readable_by: Iterable[str]) -> None:
        self.grants = {f"{user}@x.example": set(ids) for user, ids in readable_by.items()}
        self.requests: list[str] = []
        self.asked_for: list[str] = []
        self.checked: list[str] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None

    def may_read(self, subject: str) -> set[str]:
        return self.grants.get(subject, set())

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        self._begin("batch_check_access", {check.subject for check in checks})
        self.checked += [check.object for check in checks]
        answer = [check.object in self.may_read(check.subject) for check in checks]
        self.after("batch_check_access")
        return answer

    def list_objects(self, subject: str, relation: str) -> list[str]:
        self._begin("list_objects", {subject})
        answer = sorted(self.may_read(subject))
        self.after("list_objects")
        return answer

    def _begin(self, method: str, subjects: set[str]) -> None:
        self.requests.append(method)
        self.asked_for += sorted(subjects)
        self.before(method)


Answer = Callable[[httpx.Response], httpx.Response]


def http_client(
    service: Service, *, checks: Answer | None = None, lists: Answer | None = None
) -> ManagedSyncClient:
    """A real client of a service, whose answers are replaced by ``checks`` and ``lists``."""

    def handle(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.url.path.endswith("/batch-check-access"):
            asked = [AccessCheck.model_validate(check) for check in body["checks"]]
            allowed = service.batch_check_access(asked)
            honest = httpx.Response(200, json={"results": [{"allowed": each} for each in allowed]})
            return checks(honest) if checks else honest
        listed = service.list_objects(body["subject"], body["relation"])
        honest = httpx.Response(200, json={"objects": listed})
        return lists(honest) if lists else honest

    return ManagedSyncClient(
        project_id="p1",
        token=TOKEN,
        base_url="http://service.example",
        transport=httpx.MockTransport(handle),
        retry_budget=0,
    )


@dataclass(frozen=True)
class Found:
    """What a retrieval brought."""

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


def _vector(text: str) -> list[float]:
    """A direction that is the further from the question's, the larger the passage's number."""
    number = "".join(character for character in text if character.isdigit())
    angle = int(number) / 1000 if number else 0.0
    return [math.cos(angle), math.sin(angle)]


class InOrder(Embeddings):
    """Embeds so that passage ``n`` comes ``n``-th."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [_vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return _vector(text)


class InOrderToo(BaseEmbedding):
    """The same for LlamaIndex."""

    def _get_text_embedding(self, text: str) -> list[float]:
        return _vector(text)

    def _get_query_embedding(self, query: str) -> list[float]:
        return _vector(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return _vector(query)


class RankedStore(InMemoryVectorStore):
    def __init__(self, ranking: Ranking) -> None:
        super().__init__(InOrder())
        self.ranking = ranking
        self.store = {str(n): {} for n in range(len(ranking.passages))}

    def similarity_search_with_score(
        self,
        query: str,
        k: int = 4,
        filter: Callable[[Document], bool] | None = None,  # noqa: A002 - LangChain's name
        **_: Any,
    ) -> list[tuple[Document, float]]:
        def is_wanted(passage: Passage) -> bool:
            return filter is None or filter(passage.document)

        found = self.ranking.search(k, is_wanted)
        pairs: list[Any] = [(passage.document, passage.score) for passage in found]
        return pairs

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return self.similarity_search_with_score(query, k, **kwargs)


class RankedVectorStore(SimpleVectorStore):
    _ranking: Ranking = PrivateAttr()

    def __init__(self, ranking: Ranking) -> None:
        super().__init__()
        self._ranking = ranking
        self.data.embedding_dict = {str(n): [] for n in range(len(ranking.passages))}

    def query(self, query: VectorStoreQuery, **_: Any) -> VectorStoreQueryResult:
        wanted: Any = None
        if query.filters is not None:
            (condition,) = query.filters.filters
            assert isinstance(condition, MetadataFilter)
            wanted = condition.value

        def is_wanted(passage: Passage) -> bool:
            return wanted is None or passage.object_id in wanted

        found = self._ranking.search(query.similarity_top_k, is_wanted)
        return VectorStoreQueryResult(
            nodes=[passage.node for passage in found],
            similarities=[1.0 if each.score is None else each.score for each in found],
            ids=[str(passage.chunk_id) for passage in found],
        )
