"""The LlamaIndex retriever: who asks, what comes back, and what never does."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from llama_index.core import Settings, StorageContext, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.chat_engine import ContextChatEngine
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import QueryFusionRetriever
from llama_index.core.schema import IndexNode, NodeWithScore, TextNode
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import BasePydanticVectorStore
from pydantic import PrivateAttr

from managed_sync import AccessChecker, RetrievalReport, acting_as
from managed_sync.errors import (
    AccessCheckError,
    ConfigurationError,
    EmbeddingError,
    InvalidIdentifierError,
    MissingSubjectError,
)
from managed_sync.llama_index import PermissionAwareRetriever
from managed_sync.retrieval import Doubt
from tests.support.permission_service import CheckingService, even_and_odd

ALICE, BOB, NOBODY = "alice@x.example", "bob@x.example", "nobody@x.example"


@pytest.fixture(autouse=True)
def _no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Settings, "_llm", MockLLM())
    monkeypatch.setattr(Settings, "_embed_model", MockEmbedding(embed_dim=8))


def passage(number: int) -> TextNode:
    return TextNode(
        id_=f"c{number}", text=f"passage {number}", metadata={"object_id": f"file:{number}"}
    )


@pytest.fixture
def index() -> VectorStoreIndex:
    nodes = [passage(number) for number in range(100)]
    nodes += [TextNode(text="nobody's passage"), TextNode(text="q", metadata={"object_id": 7})]
    return VectorStoreIndex(nodes, embed_model=MockEmbedding(embed_dim=8))


@pytest.fixture
def retriever(index: VectorStoreIndex) -> PermissionAwareRetriever:
    return PermissionAwareRetriever(
        index, checker=AccessChecker(CheckingService(even_and_odd(ALICE, BOB))), k=60
    )


def numbers(nodes: Sequence[NodeWithScore]) -> list[int]:
    return sorted(int(scored.node.metadata["object_id"].removeprefix("file:")) for scored in nodes)


EVEN, ODD = list(range(0, 100, 2)), list(range(1, 100, 2))


def test_each_user_gets_all_that_they_may_read_and_nothing_else(
    retriever: PermissionAwareRetriever,
) -> None:
    with acting_as(ALICE):
        assert numbers(retriever.retrieve("q")) == EVEN
        assert numbers(asyncio.run(retriever.aretrieve("q"))) == EVEN
    assert numbers(retriever.for_subject(BOB).retrieve("q")) == ODD
    nodes, report = retriever.retrieve_with_report("q", subject=NOBODY)
    assert nodes == []
    assert (report.withheld, report.unidentified) == (100, 2)
    assert report.doubts == (Doubt.UNIDENTIFIED,)


def test_the_user_of_a_call_is_an_argument(retriever: PermissionAwareRetriever) -> None:
    assert numbers(retriever.retrieve("q", subject=ALICE)) == EVEN
    assert numbers(asyncio.run(retriever.aretrieve("q", subject=BOB))) == ODD
    with acting_as(ALICE):
        assert numbers(retriever.retrieve("q", subject=BOB)) == ODD
        for lost in ("", None):
            argument: Any = lost
            with pytest.raises(MissingSubjectError):
                retriever.retrieve("q", subject=argument)
    bound = retriever.for_subject(ALICE)
    with pytest.raises(ConfigurationError, match="bound to one subject"):
        bound.retrieve("q", subject=BOB)
    with pytest.raises(ConfigurationError, match="bound to one subject"):
        asyncio.run(bound.aretrieve("q", subject=BOB))
    with pytest.raises(MissingSubjectError):
        retriever.retrieve("q")


def test_without_a_subject_it_raises(retriever: PermissionAwareRetriever) -> None:
    with pytest.raises(MissingSubjectError):
        retriever.retrieve("q")
    with pytest.raises(MissingSubjectError):
        asyncio.run(retriever.aretrieve("q"))
    with pytest.raises(MissingSubjectError):
        retriever.for_subject("")
    lost: Any = None
    with acting_as(ALICE), pytest.raises(MissingSubjectError):
        retriever.retrieve_with_report("q", subject=lost)
    wrong: Any = 7
    with pytest.raises(InvalidIdentifierError):
        retriever.retrieve_with_report("q", subject=wrong)


def test_a_bound_retriever_does_not_serve_another_subject(
    retriever: PermissionAwareRetriever,
) -> None:
    bound = retriever.for_subject(ALICE)

    with acting_as(BOB):
        assert numbers(bound.retrieve("q")) == EVEN
    with pytest.raises(ConfigurationError):
        bound.retrieve_with_report("q", subject=BOB)


def test_a_broken_permission_service_raises(index: VectorStoreIndex) -> None:
    broken = PermissionAwareRetriever(
        index,
        checker=AccessChecker(
            CheckingService(error=TimeoutError("the permission service is down"))
        ),
    )

    with acting_as(ALICE):
        with pytest.raises(AccessCheckError):
            broken.retrieve("q")
        with pytest.raises(AccessCheckError):
            asyncio.run(broken.aretrieve("q"))


def test_an_allowed_node_that_stands_for_a_forbidden_one_does_not_let_it_in(
    index: VectorStoreIndex,
) -> None:
    forbidden = passage(1)
    index.insert_nodes(
        [IndexNode(text="door", index_id="x", obj=forbidden, metadata={"object_id": "file:2"})]
    )
    everything = PermissionAwareRetriever(
        index, checker=AccessChecker(CheckingService(even_and_odd(ALICE, BOB))), k=200
    )

    with acting_as(ALICE):
        assert set(numbers(everything.retrieve("q"))) == set(EVEN)
        assert set(numbers(asyncio.run(everything.aretrieve("q")))) == set(EVEN)


def test_it_serves_a_query_engine_and_a_chat_engine(retriever: PermissionAwareRetriever) -> None:
    query_engine = RetrieverQueryEngine.from_args(retriever, llm=MockLLM())
    chat_engine = ContextChatEngine.from_defaults(retriever=retriever, llm=MockLLM())

    with acting_as(ALICE):
        assert numbers(query_engine.query("q").source_nodes) == EVEN
        assert numbers(chat_engine.chat("q").source_nodes) == EVEN
    with pytest.raises(MissingSubjectError):
        query_engine.query("q")
    with pytest.raises(MissingSubjectError):
        chat_engine.chat("q")


@pytest.mark.parametrize("size", ["k", "overfetch", "max_candidates"])
def test_sizes_below_one_are_refused(index: VectorStoreIndex, size: str) -> None:
    sizes: Any = {size: 0}
    with pytest.raises(ConfigurationError, match=size):
        PermissionAwareRetriever(
            index, checker=AccessChecker(CheckingService(even_and_odd(ALICE, BOB))), **sizes
        )


class ByNumber(BaseEmbedding):
    """Lays node ``n`` the further from the question, the larger ``n`` is; counts the questions."""

    _questions: list[str] = PrivateAttr(default_factory=list)

    def _get_text_embedding(self, text: str) -> list[float]:
        angle = int(text.rsplit(maxsplit=1)[-1]) / 1000
        return [math.cos(angle), math.sin(angle)]

    def _get_query_embedding(self, query: str) -> list[float]:
        self._questions.append(query)
        return [1.0, 0.0]

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


class Capped(BasePydanticVectorStore):
    """A store that nobody knows, which gives no more than 50."""

    stores_text: bool = False
    inner: Any = None

    @property
    def client(self) -> None:
        return None

    def add(self, nodes: Any, **more: Any) -> list[str]:
        added: list[str] = self.inner.add(nodes, **more)
        return added

    def delete(self, ref_doc_id: str, **_: Any) -> None: ...

    def query(self, query: Any, **more: Any) -> Any:
        query.similarity_top_k = min(query.similarity_top_k, 50)
        return self.inner.query(query, **more)


class CappedSimpleStore(SimpleVectorStore):
    """A known store, whose search somebody has changed."""

    def query(self, query: Any, **more: Any) -> Any:
        query.similarity_top_k = min(query.similarity_top_k, 50)
        return super().query(query, **more)


def index_over(store: BasePydanticVectorStore | None = None, count: int = 100) -> VectorStoreIndex:
    nodes = [
        TextNode(
            id_=f"c{n}",
            text=f"passage {n}",
            metadata={"object_id": f"file:{n}"},
            excluded_embed_metadata_keys=["object_id"],
        )
        for n in range(count)
    ]
    context = StorageContext.from_defaults(vector_store=store or SimpleVectorStore())
    return VectorStoreIndex(nodes, storage_context=context, embed_model=ByNumber())


def outcomes(
    retriever: PermissionAwareRetriever,
) -> list[tuple[list[NodeWithScore], RetrievalReport]]:
    """Returns Alice's results, synchronously and asynchronously."""
    return [
        retriever.retrieve_with_report("q", subject=ALICE),
        asyncio.run(retriever.aretrieve_with_report("q", subject=ALICE)),
    ]


class TestComplete:
    checker = AccessChecker(CheckingService(even_and_odd(ALICE, BOB)))

    def test_of_a_known_index_it_is_and_scores_come_with_the_report(self) -> None:
        for found, report in outcomes(PermissionAwareRetriever(index_over(), checker=self.checker)):
            assert numbers(found) == EVEN[:6]
            assert report.complete
            assert report.scores == tuple(scored.score for scored in found)

    @pytest.mark.parametrize("k", [2, 60])
    @pytest.mark.parametrize(
        "store", [lambda: Capped(inner=SimpleVectorStore()), CappedSimpleStore]
    )
    def test_a_store_of_which_nothing_is_known_is_not_taken_at_its_word(
        self, store: Callable[[], BasePydanticVectorStore], k: int
    ) -> None:
        retriever = PermissionAwareRetriever(index_over(store()), checker=self.checker, k=k)

        for found, report in outcomes(retriever):
            assert numbers(found) == EVEN[: min(k, 25)]
            assert report.doubts == (Doubt.APPROXIMATE,)

    def test_a_fusion_of_retrievers_does_not_ask_its_parts_for_more(self) -> None:
        parts: list[BaseRetriever] = [index_over().as_retriever(similarity_top_k=3)] * 2
        fusion = QueryFusionRetriever(parts, similarity_top_k=9, num_queries=1, use_async=False)

        for found, report in outcomes(
            PermissionAwareRetriever.from_retriever(fusion, checker=self.checker)
        ):
            assert numbers(found) == [0, 2]
            assert report.doubts == (Doubt.APPROXIMATE,)

    def test_the_retriever_of_a_known_index_does(self) -> None:
        own = index_over().as_retriever(similarity_top_k=9)

        for found, report in outcomes(
            PermissionAwareRetriever.from_retriever(own, checker=self.checker)
        ):
            assert numbers(found) == EVEN[:9]
            assert report.complete


def test_a_question_is_embedded_once() -> None:
    index = index_over(count=900)
    embedding: Any = index._embed_model
    retriever = PermissionAwareRetriever(
        index, checker=AccessChecker(CheckingService(even_and_odd(ALICE, BOB))), k=100, overfetch=1
    )

    (_, one), (_, other) = outcomes(retriever)

    assert min(one.rounds, other.rounds) > 1
    assert len(embedding._questions) == 2


class TestDiversity:
    """MMR chooses among what the user may read."""

    @pytest.mark.parametrize("wrapped", [False, True])
    def test_what_is_withheld_has_no_influence(self, wrapped: bool) -> None:
        mmr: Any = {
            "vector_store_query_mode": "mmr",
            "vector_store_kwargs": {"mmr_threshold": 0.3},
        }
        checker = AccessChecker(CheckingService(even_and_odd(ALICE, BOB)))
        texts = []
        for withheld in ([], [1, 3, 5, 7, 9]):
            index = VectorStoreIndex(
                [
                    TextNode(
                        text=f"passage {n * 40}",
                        metadata={"object_id": f"file:{n}"},
                        excluded_embed_metadata_keys=["object_id"],
                    )
                    for n in [0, 2, 4, 6, 8, 10, *withheld]
                ],
                embed_model=ByNumber(),
            )
            retriever = (
                PermissionAwareRetriever.from_retriever(
                    index.as_retriever(similarity_top_k=3, **mmr), checker=checker
                )
                if wrapped
                else PermissionAwareRetriever(index, checker=checker, k=3, **mmr)
            )
            for found, report in outcomes(retriever):
                texts.append([scored.node.get_content() for scored in found])
                assert len(found) == report.returned == len(report.scores) == 3

        assert texts == [texts[0]] * 4
        assert texts[0] != ["passage 0", "passage 80", "passage 160"]

    @pytest.mark.parametrize("number", [0.0, math.nan])
    def test_without_a_usable_vector_for_each_passage_none_is_lost_silently(
        self, number: float
    ) -> None:
        class Ages(ByNumber):
            def get_text_embedding_batch(self, texts: list[str], *_: Any, **__: Any) -> Any:
                return [[number, number] for _ in texts]

        index = VectorStoreIndex([passage(n) for n in range(6)], embed_model=ByNumber())
        index._embed_model = Ages()
        retriever = PermissionAwareRetriever(
            index,
            checker=AccessChecker(CheckingService(even_and_odd(ALICE, BOB))),
            vector_store_query_mode="mmr",
        )

        with pytest.raises(EmbeddingError, match="MMR cannot choose"):
            retriever.retrieve_with_report("q", subject=ALICE)


class Sick(MockEmbedding):
    """A model that gives questions no usable vector, though it gave texts good ones."""

    number: float

    def _get_query_embedding(self, query: str) -> list[float]:
        return [self.number] * self.embed_dim

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_query_embedding(query)


@pytest.mark.parametrize("number", [math.nan, math.inf, 1e39])
@pytest.mark.parametrize("kind", ["index", "retriever"])
def test_a_question_without_a_usable_vector_is_an_error_and_no_empty_result(
    number: float, kind: str
) -> None:
    index = VectorStoreIndex([passage(1)], embed_model=Sick(embed_dim=8, number=number))
    checker = AccessChecker(CheckingService(even_and_odd(ALICE, BOB)))
    if kind == "index":
        retriever = PermissionAwareRetriever(index, checker=checker)
    else:
        retriever = PermissionAwareRetriever.from_retriever(index.as_retriever(), checker=checker)

    with acting_as(BOB), pytest.raises(EmbeddingError):
        retriever.retrieve("q")
    with acting_as(BOB), pytest.raises(EmbeddingError):
        asyncio.run(retriever.aretrieve("q"))
