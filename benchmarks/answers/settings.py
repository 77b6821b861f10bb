"""The settings that are compared: each adds one part to a retrieval over the same chunks.

All rankings are exact, over the chunks that the user may read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from benchmarks.answers.company_index import CompanyIndex
from managed_sync import BundledReranker, Fusion
from managed_sync.access.subject import resolve_subject
from managed_sync.langchain import BundledEmbeddings
from managed_sync.retrieval.refinement.reranking import titled_text

__all__ = ["settings"]

Ranking = Callable[[str], list[int]]
Retriever = Callable[[str], list[Document]]

K = 6
VECTOR_WEIGHT = 0.5
"""The command line's weight of the bundled vectors, beside 1 for keywords."""
RANK_WEIGHT = 1.2
"""The command line's weight of the ranking before, for models other than the bundled one."""
DEPTH = 50
RERANKED = 50


def settings(
    index: CompanyIndex, models: Mapping[str, Embeddings] | None = None
) -> Mapping[str, Retriever]:
    """Returns the settings by name.

    Args:
        index: The chunks.
        models: Further embedding models by name, to compare with the bundled one.
    """
    texts = [chunk.page_content for chunk in index.chunks]
    bundled = BundledEmbeddings()
    alone = np.array(bundled.embed_documents(texts))
    static = _remembered(_by_vectors(index, index.vectors, bundled))
    keywords = _remembered(_by_keywords(index))
    weighted = _remembered(_fused(static, keywords, VECTOR_WEIGHT))
    reranked = _remembered(_reranked(index, weighted, BundledReranker()))
    rankings = {
        "static": _by_vectors(index, alone, bundled),
        "static, title and headings": static,
        "keywords": keywords,
        "fused": _fused(static, keywords),
        "fused, vectors count half": weighted,
        "fused, reranked": reranked,
    }
    joined = {"fused, reranked, with neighbors": reranked}
    for name, model in (models or {}).items():
        titled = [titled_text(chunk.page_content, chunk.metadata) for chunk in index.chunks]
        vectors = np.array(model.embed_documents(titled))
        other = _remembered(_by_vectors(index, vectors, model))
        fused = _remembered(_fused(other, keywords))
        reranker = BundledReranker(rank_weight=RANK_WEIGHT)
        both = _remembered(_reranked(index, fused, reranker))
        rankings[f"{name}, title and headings"] = other
        rankings[f"{name}, fused"] = fused
        rankings[f"{name}, fused, reranked"] = both
        joined[f"{name}, fused, reranked, with neighbors"] = both
    retrievers = {name: _alone(index, ranking) for name, ranking in rankings.items()}
    return retrievers | {name: _with_neighbors(index, it) for name, it in joined.items()}


def _remembered(ranking: Ranking) -> Ranking:
    """Returns a ranking that is computed once for each user and question."""
    known: dict[tuple[str, str], list[int]] = {}

    def rank(question: str) -> list[int]:
        key = resolve_subject(), question
        if key not in known:
            known[key] = ranking(question)
        return known[key]

    return rank


def _by_vectors(index: CompanyIndex, vectors: NDArray[np.float64], model: Embeddings) -> Ranking:
    def rank(question: str) -> list[int]:
        places = np.flatnonzero(index.readable(resolve_subject()))
        scores = vectors[places] @ np.array(model.embed_query(question))
        return [int(place) for place in places[np.argsort(-scores, kind="stable")]]

    return rank


def _by_keywords(index: CompanyIndex) -> Ranking:
    place_of = {str(chunk.metadata["chunk_id"]): n for n, chunk in enumerate(index.chunks)}

    def rank(question: str) -> list[int]:
        places = np.flatnonzero(index.readable(resolve_subject()))
        objects = sorted({str(index.chunks[place].metadata["object_id"]) for place in places})
        hits = index.keywords.search(question, DEPTH, objects)
        return [place_of[hit.chunk_id] for hit in hits]

    return rank


def _fused(by_vectors: Ranking, by_keywords: Ranking, vector_weight: float = 1.0) -> Ranking:
    constant = Fusion().constant

    def rank(question: str) -> list[int]:
        scores: dict[int, float] = defaultdict(float)
        for ranking, weight in ((by_vectors, vector_weight), (by_keywords, 1.0)):
            for number, place in enumerate(ranking(question)[:DEPTH], 1):
                scores[place] += weight / (constant + number)
        return sorted(scores, key=lambda place: -scores[place])

    return rank


def _reranked(index: CompanyIndex, ranking: Ranking, reranker: BundledReranker) -> Ranking:
    titled = [titled_text(chunk.page_content, chunk.metadata) for chunk in index.chunks]

    def rank(question: str) -> list[int]:
        places = ranking(question)[:RERANKED]
        scores = reranker.predict([(question, titled[place]) for place in places])
        return [place for _, place in sorted(zip(scores, places, strict=True), key=lambda x: -x[0])]

    return rank


def _alone(index: CompanyIndex, ranking: Ranking) -> Retriever:
    return lambda question: [index.chunks[place] for place in ranking(question)[:K]]


def _with_neighbors(index: CompanyIndex, ranking: Ranking) -> Retriever:
    """Returns a retriever that joins each passage with the ones before and after it."""
    place_of = {_position(chunk, 0): place for place, chunk in enumerate(index.chunks)}

    def retrieve(question: str) -> list[Document]:
        found: list[Document] = []
        for place in ranking(question)[:K]:
            chunk = index.chunks[place]
            around = [place_of.get(_position(chunk, step)) for step in (-1, 0, 1)]
            text = "\n\n".join(
                index.chunks[each].page_content for each in around if each is not None
            )
            found.append(Document(text, metadata=chunk.metadata))
        return found

    return retrieve


def _position(chunk: Document, step: int) -> tuple[object, ...]:
    metadata = chunk.metadata
    return metadata["object_id"], metadata.get("part"), metadata["chunk_index"] + step
