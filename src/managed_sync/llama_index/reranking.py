"""Rerankers of LlamaIndex, and cross-encoders, for nodes that were allowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from managed_sync.errors import RerankingError
from managed_sync.llama_index.search import hits_of
from managed_sync.llama_index.tracing import untraced
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.refinement.reranking import (
    FrameworkReranker,
    PairReranker,
    Reranker,
    predictor_of,
    titled_text,
)

__all__ = ["reranker_of"]


def reranker_of(reranker: object) -> Reranker:
    """Returns a reranker of hits for a postprocessor of LlamaIndex's, or for a cross-encoder.

    Raises:
        ConfigurationError: It is neither.
    """
    if not isinstance(reranker, BaseNodePostprocessor):
        return PairReranker(predictor_of(reranker), _text_of, _question_of, untraced)
    return FrameworkReranker(
        lambda query, hits: reranker.postprocess_nodes(_copies(hits), _bundle(query)),
        lambda query, hits: reranker.apostprocess_nodes(_copies(hits), _bundle(query)),
        _returned,
        lambda hit: hit.passage.node.get_content(MetadataMode.NONE),
        untraced,
    )


def _copies(hits: Sequence[Hit]) -> list[NodeWithScore]:
    return [
        NodeWithScore(node=hit.passage.node.model_copy(deep=True), score=hit.score) for hit in hits
    ]


def _returned(nodes: Any) -> list[Hit]:
    """Returns the hits for the nodes that a postprocessor returned.

    Raises:
        RerankingError: It returned something else.
    """
    returned = list(nodes) if isinstance(nodes, Sequence) else [nodes]
    if not all(isinstance(node, NodeWithScore) for node in returned):
        raise RerankingError(
            f"The reranker must return a list of nodes with scores, got {type(nodes).__name__} "
            f"with something else in it."
        )
    return hits_of(returned, with_ids=True)


def _bundle(query: Any) -> QueryBundle:
    return query if isinstance(query, QueryBundle) else QueryBundle(query)


def _question_of(query: Any) -> str:
    return _bundle(query).query_str


def _text_of(hit: Hit) -> str:
    node = hit.passage.node
    return titled_text(node.get_content(MetadataMode.NONE), node.metadata)
