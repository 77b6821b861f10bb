"""Passages in a known order, and stores that give them in it or misbehave.

Passage ``n`` of a store comes ``n``-th for every question, so that what ought to come back can be
told without a search. The stores are the frameworks' own in-memory ones; over a ``Ranking``, which
can misbehave, they keep their class, so that they are known and their filters are used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.schema import TextNode
from llama_index.core.vector_stores import (
    MetadataFilter,
    SimpleVectorStore,
    VectorStoreQuery,
    VectorStoreQueryResult,
)
from pydantic import PrivateAttr


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
