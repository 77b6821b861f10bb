"""LlamaIndex's retrievers that are made of others, for a user who may read very little."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.base_selector import BaseSelector, MultiSelection, SingleSelection
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import HierarchicalNodeParser, SentenceSplitter, get_leaf_nodes
from llama_index.core.retrievers import (
    AutoMergingRetriever,
    QueryFusionRetriever,
    RecursiveRetriever,
    RouterRetriever,
    VectorIndexRetriever,
)
from llama_index.core.retrievers.fusion_retriever import FUSION_MODES
from llama_index.core.schema import Document, IndexNode, NodeWithScore, QueryBundle, TextNode
from llama_index.core.tools import RetrieverTool

from managed_sync import AccessChecker, acting_as, collect_reports
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index import PermissionAwareRetriever
from tests.support.passages import InOrderToo, files, passages_of
from tests.support.permission_service import FakePermissionService

ALICE = "alice@x.example"
READABLE = {"passage 7", "passage 399"}


@pytest.fixture(scope="module")
def index() -> VectorStoreIndex:
    nodes = [each.node for each in passages_of(*files(*range(400)))]
    return VectorStoreIndex(nodes, embed_model=InOrderToo())


def few(*numbers: int) -> AccessChecker:
    return AccessChecker(FakePermissionService(alice=files(*numbers)))


def texts(nodes: Sequence[NodeWithScore]) -> list[str]:
    return [scored.node.get_content() for scored in nodes]


def both_ways(retriever: BaseRetriever) -> list[list[NodeWithScore]]:
    return [retriever.retrieve("q"), asyncio.run(retriever.aretrieve("q"))]


class All(BaseSelector):
    """Chooses all retrievers, as a model might."""

    def _get_prompts(self) -> Any:
        return {}

    def _update_prompts(self, prompts: Any) -> None: ...

    def _select(self, choices: Any, query: Any) -> MultiSelection:
        chosen = [SingleSelection(index=n, reason="") for n in range(len(choices))]
        return MultiSelection(selections=chosen)

    async def _aselect(self, choices: Any, query: Any) -> MultiSelection:
        return self._select(choices, query)


def fused(mode: FUSION_MODES) -> Callable[[BaseRetriever], BaseRetriever]:
    return lambda part: QueryFusionRetriever(
        [part, part], llm=MockLLM(), num_queries=1, mode=mode, similarity_top_k=4
    )


def routed(part: BaseRetriever) -> BaseRetriever:
    tools = [RetrieverTool.from_defaults(part, description="passages") for _ in range(2)]
    return RouterRetriever(All(), tools, llm=MockLLM())


def recursive(part: BaseRetriever) -> BaseRetriever:
    return RecursiveRetriever("root", retriever_dict={"root": part})


@pytest.mark.parametrize("make", [*map(fused, FUSION_MODES), routed, recursive])
def test_of_wrapped_parts_all_that_a_narrow_user_may_read_is_found_and_stated(
    make: Callable[[BaseRetriever], BaseRetriever], index: VectorStoreIndex
) -> None:
    part = PermissionAwareRetriever(index, checker=few(7, 399), k=4)
    with acting_as(ALICE), collect_reports() as reports:
        for nodes in both_ways(make(part)):
            assert set(texts(nodes)) == READABLE
    assert reports
    assert all(report.complete for report in reports)
    for nodes in both_ways(make(part.for_subject(ALICE))):
        assert set(texts(nodes)) == READABLE


def test_wrapped_as_a_whole_a_fusion_shows_nothing_else_and_says_that_it_may_lack_some(
    index: VectorStoreIndex,
) -> None:
    parts = [index.as_retriever(similarity_top_k=9)] * 2
    fusion = QueryFusionRetriever(parts, llm=MockLLM(), num_queries=1, similarity_top_k=9)
    whole = PermissionAwareRetriever.from_retriever(fusion, checker=few(7, 399))
    nodes, report = whole.retrieve_with_report("q", subject=ALICE)
    assert texts(nodes) == ["passage 7"]
    assert not report.complete


class Narrowed(VectorIndexRetriever):
    """A subclass that leaves out some of what it finds."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = super()._retrieve(query_bundle)
        return [each for each in found if each.node.get_content() != "passage 7"]

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return self._retrieve(query_bundle)


def test_a_subclass_that_leaves_nodes_out_is_asked_for_more(index: VectorStoreIndex) -> None:
    narrowed = Narrowed(index, similarity_top_k=2)
    whole = PermissionAwareRetriever.from_retriever(narrowed, checker=few(7, 399))
    for nodes in both_ways(whole.for_subject(ALICE)):
        assert texts(nodes) == ["passage 399"]
    _, report = whole.retrieve_with_report("q", subject=ALICE)
    assert not report.complete


class Drops(VectorIndexRetriever):
    """A subclass that returns one in ten of what it finds."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        self._kwargs["asked"].append(self.similarity_top_k)
        return super()._retrieve(query_bundle)[::10]


def test_no_search_asks_for_more_than_max_candidates(index: VectorStoreIndex) -> None:
    asked: list[int] = []
    drops = Drops(index, similarity_top_k=2, vector_store_kwargs={"asked": asked})
    whole = PermissionAwareRetriever.from_retriever(drops, checker=few(399), max_candidates=50)

    assert whole.retrieve_with_report("q", subject=ALICE)[1].returned == 0

    assert max(asked) == 50


class Returns(BaseRetriever):
    def __init__(self, found: Any) -> None:
        super().__init__()
        self._found = found

    def _retrieve(self, query_bundle: QueryBundle) -> Any:
        return self._found


@pytest.mark.parametrize(
    "found", [["text"], None, [TextNode(text="text")]], ids=["texts", "nothing", "nodes"]
)
def test_what_returns_anything_but_nodes_with_scores_is_named(found: Any) -> None:
    whole = PermissionAwareRetriever.from_retriever(Returns(found), checker=few(7))
    with acting_as(ALICE), pytest.raises(ConfigurationError, match="Returns must return nodes"):
        both_ways(whole)


def merging(checker: AccessChecker, **settings: Any) -> AutoMergingRetriever:
    """Forty documents with eight chunks of one number each, in parents of all their chunks."""
    parser = HierarchicalNodeParser.from_defaults(
        node_parser_ids=["large", "small"],
        node_parser_map={
            "large": SentenceSplitter(chunk_size=200, chunk_overlap=0),
            "small": SentenceSplitter(chunk_size=6, chunk_overlap=0),
        },
    )
    documents = [
        Document(
            text=" ".join(f"Number {n * 8 + part}." for part in range(8)),
            metadata={"object_id": f"file:{n}"},
            excluded_embed_metadata_keys=["object_id"],
            excluded_llm_metadata_keys=["object_id"],
        )
        for n in range(40)
    ]
    nodes = parser.get_nodes_from_documents(documents)
    context = StorageContext.from_defaults()
    context.docstore.add_documents(nodes)
    leaves = VectorStoreIndex(
        get_leaf_nodes(nodes), storage_context=context, embed_model=InOrderToo()
    )
    part: Any = PermissionAwareRetriever(leaves, checker=checker, **settings)
    return AutoMergingRetriever(part, context)


def test_chunks_that_may_be_read_are_merged_into_their_parents() -> None:
    checker = few(3, 38)
    inner = merging(checker, k=16)
    whole = PermissionAwareRetriever.from_retriever(inner, checker=checker)
    with acting_as(ALICE), collect_reports() as reports:
        for nodes in both_ways(whole):
            assert [scored.node.metadata["object_id"] for scored in nodes] == files(3, 38)
            assert all(len(text) > 50 for text in texts(nodes)), "They are not the parents."
    assert {report.complete for report in reports} == {True, False}
    for nodes in both_ways(whole.for_subject(ALICE)):
        assert [scored.node.metadata["object_id"] for scored in nodes] == files(3, 38)


def test_a_parent_of_another_object_than_its_chunks_is_checked_itself() -> None:
    checker = few(3)
    inner = merging(checker, k=16)
    docstore = inner._storage_context.docstore
    for node in list(docstore.docs.values()):
        if getattr(node, "child_nodes", None):
            node.metadata["object_id"] = "file:99"
            docstore.add_documents([node])
    whole = PermissionAwareRetriever.from_retriever(inner, checker=checker)
    with acting_as(ALICE):
        merged = {scored.node.metadata["object_id"] for scored in inner.retrieve("q")}
        assert "file:99" in merged, "This attack does not work."
        for nodes in both_ways(whole):
            assert all(scored.node.metadata["object_id"] == "file:3" for scored in nodes)


def test_a_readable_node_that_leads_to_a_forbidden_one_does_not_let_it_in() -> None:
    leading = IndexNode(text="passage 0", index_id="target", metadata={"object_id": "file:0"})
    forbidden = TextNode(text="of the board", metadata={"object_id": "file:9"})
    index = VectorStoreIndex([leading], embed_model=InOrderToo())
    checker = few(0)
    part = PermissionAwareRetriever(index, checker=checker)
    recursing = RecursiveRetriever("root", {"root": part}, node_dict={"target": forbidden})
    whole = PermissionAwareRetriever.from_retriever(recursing, checker=checker)
    with acting_as(ALICE):
        assert texts(recursing.retrieve("q")) == ["of the board"], "This attack does not work."
        assert both_ways(whole) == [[], []]
