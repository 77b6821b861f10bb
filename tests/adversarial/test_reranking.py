"""Whatever a reranker is given, does and returns, only passages that were checked come back, as
they were; and it never sees another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.documents import BaseDocumentCompressor, Document
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import NodeWithScore, TextNode
from pydantic import PrivateAttr

from managed_sync import AccessChecker
from managed_sync.errors import ConfigurationError, RerankingError
from tests.support.frameworks import WAYS, Found, LangChain, LlamaIndex, Way
from tests.support.keywords import FixedKeywords, KeywordPassage
from tests.support.passages import Passage
from tests.support.permission_service import FakePermissionService

PASSAGES = [
    Passage(f"passage {n}", f"file:{n}", f"chunk-{n}", 1 - n / 1000, {"title": f"Title {n}"})
    for n in range(40)
]
READABLE = [f"file:{n}" for n in range(0, 40, 2)]
FORGED = {"object_id": "file:1", "chunk_id": "chunk-1", "title": "canary"}
Change = Callable[[list[Any]], Any]


class Compressor(BaseDocumentCompressor):
    change: Any
    _seen: list[str] = PrivateAttr(default_factory=list)

    def compress_documents(self, documents: Sequence[Document], query: str, callbacks: Any = None):  # type: ignore[no-untyped-def]
        self._seen += [document.page_content for document in documents]
        return self.change(list(documents))


class Postprocessor(BaseNodePostprocessor):
    change: Any
    _seen: list[str] = PrivateAttr(default_factory=list)

    def _postprocess_nodes(self, nodes: list[NodeWithScore], query_bundle: Any = None) -> Any:
        self._seen += [node.node.get_content() for node in nodes]
        return self.change(list(nodes))


def reranker(way: Way, change: Change) -> Any:
    kind = Compressor if isinstance(way, LangChain) else Postprocessor
    return kind(change=change)


def ask(way: Way, reranker: Any, *, keywords: bool = False, k: int = 5, **settings: Any) -> Found:
    index = FixedKeywords(
        [KeywordPassage(each.chunk_id, each.text, each.metadata) for each in PASSAGES[::-1]]
    )
    more = {"keywords": index} if keywords else {}
    retriever = way.retriever(
        way.store(PASSAGES),
        AccessChecker(FakePermissionService(*READABLE), list_limit=None),
        k=k,
        reranker=reranker,
        **more,
        **settings,
    )
    return way.ask(retriever)


def forged(passage: Any) -> Any:
    if isinstance(passage, Document):
        return Document("canary", metadata=FORGED, id="chunk-1")
    return NodeWithScore(node=TextNode(text="canary", metadata=FORGED, id_="chunk-1"), score=9.0)


def renamed(passage: Any) -> Any:
    """The passage's own object takes another one's text, and a title of the reranker's."""
    node = passage if isinstance(passage, Document) else passage.node
    node.metadata.update(title="canary", relevance_score=1.0)
    if isinstance(node, Document):
        node.page_content = "canary"
    else:
        node.set_content("canary")
    return passage


ways = pytest.mark.parametrize("way", WAYS, ids=str)


@ways
@pytest.mark.parametrize("keywords", [False, True])
def test_it_sees_passages_that_may_be_read_and_its_order_counts(way: Way, keywords: bool) -> None:
    reverse = reranker(way, lambda passages: passages[::-1])

    found = ask(way, reverse, keywords=keywords, rerank_from=10)

    assert len(reverse._seen) == 10 == found.report.reranked
    assert {int(text.split()[1]) % 2 for text in reverse._seen} == {0}
    assert found.texts == reverse._seen[::-1][:5]
    assert set(found.object_ids) <= set(READABLE)


@ways
@pytest.mark.parametrize(
    "change",
    [
        lambda passages: [forged(passages[0]), *passages],
        lambda passages: [*passages, *passages],
        lambda passages: [each for each in passages for _ in range(3)],
        lambda passages: [renamed(each) for each in passages],
    ],
    ids=["forged", "doubled", "tripled", "renamed"],
)
def test_passages_it_adds_repeats_or_changes_do_not_come_back(way: Way, change: Change) -> None:
    found = ask(way, reranker(way, change))

    assert found.texts == [f"passage {n}" for n in (0, 2, 4, 6, 8)]
    assert found.object_ids == READABLE[:5]


def bare(passage: Any, *, with_id: bool) -> Any:
    """The passage as a reranker returns it that knows only texts, and perhaps ids."""
    if isinstance(passage, Document):
        return Document(passage.page_content, id=passage.id if with_id else None)
    node = passage.node
    named = {"id_": node.node_id} if with_id else {}
    return NodeWithScore(node=TextNode(text=node.get_content(), **named), score=1.0)


@ways
@pytest.mark.parametrize("with_id", [True, False])
def test_passages_without_their_metadata_are_recognized(way: Way, with_id: bool) -> None:
    reverse = reranker(way, lambda found: [bare(each, with_id=with_id) for each in found[::-1]])

    found = ask(way, reverse, rerank_from=5)

    assert found.texts == [f"passage {n}" for n in (8, 6, 4, 2, 0)]
    assert found.object_ids == READABLE[:5][::-1]


@ways
def test_a_text_of_two_objects_tells_neither_of_them(way: Way) -> None:
    twins = [Passage("same", f"file:{n}", f"chunk-{n}", 0.9 - n / 10) for n in (0, 2)]
    store = way.store([*twins, PASSAGES[4]])
    checker = AccessChecker(FakePermissionService(*READABLE), list_limit=None)
    shortened = reranker(way, lambda found: [bare(each, with_id=False) for each in found])

    assert way.ask(way.retriever(store, checker, reranker=shortened)).texts == ["passage 4"]


@ways
def test_an_order_of_nothing_but_strangers_raises(way: Way) -> None:
    with pytest.raises(RerankingError, match="not given"):
        ask(way, reranker(way, lambda found: [forged(found[0])]))


@ways
def test_it_may_leave_passages_out(way: Way) -> None:
    assert ask(way, reranker(way, lambda passages: passages[3:4])).texts == ["passage 6"]
    assert ask(way, reranker(way, lambda _: [])).texts == []


@ways
@pytest.mark.parametrize("answer", [None, "canary", 7, ["canary"], [None], {"canary": 1}])
def test_an_answer_of_another_type_raises_and_returns_nothing(way: Way, answer: Any) -> None:
    with pytest.raises(RerankingError, match="must return a list"):
        ask(way, reranker(way, lambda _: answer))


@ways
def test_its_error_is_raised_and_nothing_is_returned(way: Way) -> None:
    def fail(_: Any) -> Any:
        raise TimeoutError("slow")

    with pytest.raises(TimeoutError):
        ask(way, reranker(way, fail))


@ways
def test_who_may_read_nothing_never_calls_it(way: Way) -> None:
    def fail(_: Any) -> Any:
        raise AssertionError

    retriever = way.retriever(
        way.store(PASSAGES), AccessChecker(FakePermissionService()), reranker=reranker(way, fail)
    )
    assert way.ask(retriever).texts == []


@dataclass
class CrossEncoder:
    """Prefers high numbers, as sentence-transformers' class of this name would by its model."""

    pairs: list[tuple[str, str]] = field(default_factory=list)

    def predict(self, pairs: list[tuple[str, str]]) -> list[float]:
        self.pairs = pairs
        return [float(text.split()[1]) for _, text in pairs]


@ways
def test_a_cross_encoder_orders_by_its_scores(way: Way) -> None:
    encoder = CrossEncoder()

    found = ask(way, encoder, rerank_from=8)

    assert found.texts == [f"passage {n}" for n in (14, 12, 10, 8, 6)]
    assert found.report.scores == (14.0, 12.0, 10.0, 8.0, 6.0)
    assert {question for question, _ in encoder.pairs} == {"question"}


@pytest.mark.parametrize(
    "scores",
    [
        lambda _: None,
        lambda pairs: [1.0] * (len(pairs) + 1),
        lambda pairs: [math.nan] * len(pairs),
        lambda pairs: ["high"] * len(pairs),
        lambda pairs: dict.fromkeys(range(len(pairs)), 0.5),
        lambda pairs: "9" * len(pairs),
    ],
)
def test_scores_that_are_no_numbers_or_too_few_raise(scores: Any) -> None:
    with pytest.raises(RerankingError):
        ask(LangChain(asynchronous=False), scores)


@pytest.mark.parametrize("way", [LangChain(asynchronous=False), LlamaIndex(asynchronous=False)])
def test_something_else_is_refused_at_once(way: Way) -> None:
    with pytest.raises(ConfigurationError, match="reranker must be"):
        ask(way, "a-model")


def test_neither_an_index_nor_a_reranker_is_printed_with_the_retriever() -> None:
    way = LangChain(asynchronous=False)
    retriever = way.retriever(
        way.store([]),
        AccessChecker(FakePermissionService()),
        keywords=FixedKeywords([KeywordPassage("chunk-1", "canary", {})]),
        reranker=Compressor(change="canary"),
    )

    assert "canary" not in repr(retriever)
    assert "canary" not in str(retriever.model_dump())
