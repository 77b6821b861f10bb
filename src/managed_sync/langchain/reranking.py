"""Rerankers of LangChain, and cross-encoders, for passages that were allowed."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from langchain_core.documents import BaseDocumentCompressor, Document

from managed_sync.errors import RerankingError
from managed_sync.langchain.conversion import indexed_text
from managed_sync.langchain.search import hits_of
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


def reranker_of(reranker: object) -> Reranker:
    """Returns a reranker of hits for a compressor of LangChain's, or for a cross-encoder.

    Raises:
        ConfigurationError: It is neither.
    """
    if not isinstance(reranker, BaseDocumentCompressor):
        return PairReranker(predictor_of(reranker), _text_of, str, untraced)
    return FrameworkReranker(
        lambda query, hits: reranker.compress_documents(_copies(hits), query),
        lambda query, hits: reranker.acompress_documents(_copies(hits), query),
        _returned,
        lambda hit: hit.passage.page_content,
        untraced,
    )


def _text_of(hit: Hit) -> str:
    return titled_text(indexed_text(hit.passage), hit.passage.metadata)


def _copies(hits: Sequence[Hit]) -> list[Document]:
    return [
        hit.passage.model_copy(update={"metadata": deepcopy(hit.passage.metadata)}) for hit in hits
    ]


def _returned(documents: Any) -> list[Hit]:
    """Returns the hits for the documents that a compressor returned.

    Raises:
        RerankingError: It returned something else.
    """
    returned = list(documents) if isinstance(documents, Sequence) else [documents]
    if not all(isinstance(document, Document) for document in returned):
        raise RerankingError(
            f"The reranker must return a list of documents, got {type(documents).__name__} with "
            f"something else in it."
        )
    return hits_of([(document, document.metadata.get(_SCORE)) for document in returned])
