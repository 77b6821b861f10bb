"""Rerankers of LlamaIndex, and cross-encoders, for nodes that were allowed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle

from managed_sync.access.object_ids import OWN_FIELD, ObjectIds
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


def reranker_of(reranker: object, object_ids: ObjectIds = OWN_FIELD) -> Reranker:
    """Returns a reranker of hits for a postprocessor of LlamaIndex's, or for a cross-encoder.

    Args:
        reranker: The postprocessor or the cross-encoder.
        object_ids: Finds the id of a node's object in its metadata.

    Raises:
        ConfigurationError: It is neither.
    """
    if not isinstance(reranker, BaseNodePostprocessor):
        return PairReranker(predictor_of(reranker), _text_of, _question_of, untraced)
    return FrameworkReranker(
        lambda query, hits: reranker.postprocess_nodes(_copies(hits), _bundle(query)),
        lambda query, hits: reranker.apostprocess_nodes(_copies(hits), _bundle(query)),
        NodeWithScore,
        partial(hits_of, with_ids=True, object_ids=object_ids),
        text_of=lambda hit: hit.passage.node.get_content(MetadataMode.NONE),
        untraced=untraced,
    )


def _copies(hits: Sequence[Hit]) -> list[NodeWithScore]:
    return [
        NodeWithScore(node=hit.passage.node.model_copy(deep=True), score=hit.score) for hit in hits
    ]


def _bundle(query: Any) -> QueryBundle:
    return query if isinstance(query, QueryBundle) else QueryBundle(query)


def _question_of(query: Any) -> str:
    return _bundle(query).query_str


def _text_of(hit: Hit) -> str:
    node = hit.passage.node
    return titled_text(node.get_content(MetadataMode.NONE), node.metadata)
