"""Rerankers of LangChain, and cross-encoders, for passages that were allowed."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

from langchain_core.documents import BaseDocumentCompressor, Document

from managed_sync.access.object_ids import OWN_FIELD, ObjectIds
from managed_sync.langchain.conversion import indexed_text
from managed_sync.langchain.searches.store import hits_of
from managed_sync.langchain.tracing import untraced
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.refinement.reranking import (
    FrameworkReranker,
    PairReranker,
    Reranker,
    predictor_of,
    titled_text,
)

__all__ = ["reranker_of"]

_SCORE = "relevance_score"


def reranker_of(reranker: object, object_ids: ObjectIds = OWN_FIELD) -> Reranker:
    """Returns a reranker of hits for a compressor of LangChain's, or for a cross-encoder.

    Args:
        reranker: The compressor or the cross-encoder.
        object_ids: Finds the id of a document's object in its metadata.

    Raises:
        ConfigurationError: It is neither.
    """
    if not isinstance(reranker, BaseDocumentCompressor):
        return PairReranker(predictor_of(reranker), _text_of, str, untraced)
    return FrameworkReranker(
        lambda query, hits: reranker.compress_documents(_copies(hits), query),
        lambda query, hits: reranker.acompress_documents(_copies(hits), query),
        Document,
        lambda documents: _hits_of(documents, object_ids),
        text_of=lambda hit: hit.passage.page_content,
        untraced=untraced,
    )


def _text_of(hit: Hit) -> str:
    return titled_text(indexed_text(hit.passage), hit.passage.metadata)


def _copies(hits: Sequence[Hit]) -> list[Document]:
    return [
        hit.passage.model_copy(update={"metadata": deepcopy(hit.passage.metadata)}) for hit in hits
    ]


def _hits_of(documents: Sequence[Document], object_ids: ObjectIds) -> list[Hit]:
    scored = [(document, document.metadata.get(_SCORE)) for document in documents]
    return hits_of(scored, object_ids)
