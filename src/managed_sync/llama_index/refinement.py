"""The parts of a LlamaIndex retriever besides its search: keywords, a reranker, neighbors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.indices.vector_store.retrievers import VectorIndexRetriever
from llama_index.core.schema import MetadataMode, NodeWithScore

from managed_sync.access.object_ids import OWN_FIELD
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index.conversion import as_node, with_text
from managed_sync.llama_index.search import IndexSearch, RetrieverSearch
from managed_sync.llama_index.tracing import untraced
from managed_sync.retrieval.hybrid.keyword_search import (
    KeywordPassage,
    KeywordSearch,
    KeywordSource,
)
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.refinement.neighbors import Expansion, Passage
from managed_sync.stores.neighbors import StoreNeighbors, neighbor_source

__all__ = ["expansion", "refuse_filters", "searches_by_keywords"]

# The arguments of an index's retriever that leave no node out. All others could be filters, which a
# search by keywords would not know.
_WITH_KEYWORDS = {
    *("vector_store_query_mode", "alpha", "sparse_top_k", "hybrid_top_k"),
    *("embed_model", "callback_manager", "verbose"),
}
_OF_MMR = {"mmr_threshold", "mmr_prefetch_factor", "mmr_prefetch_k"}


def searches_by_keywords(
    keywords: KeywordSource | None, project_id: str | None
) -> KeywordSearch | None:
    """Returns the searches of a keyword index, if there is one."""
    return None if keywords is None else KeywordSearch(keywords, _node, untraced, project_id)


def refuse_filters(source: object, retriever_kwargs: Mapping[str, Any]) -> None:
    """Refuses arguments that narrow the search by vectors and not the one by keywords.

    Raises:
        ConfigurationError: There is one.
    """
    of_store = retriever_kwargs.get("vector_store_kwargs") or {}
    # The search says itself whether a keyword index can apply its filters.
    names = {*retriever_kwargs} - {"vector_store_kwargs", "filters"} - _WITH_KEYWORDS
    if type(source) is VectorIndexRetriever:
        own = ("_filters", "_node_ids", "_doc_ids")  # private in llama-index-core 0.14
        names |= {name.removeprefix("_") for name in own if getattr(source, name, None)}
        of_store = getattr(source, "_kwargs", None) or {}
    names |= {*of_store} - _OF_MMR
    if names:
        raise ConfigurationError(
            f"{', '.join(sorted(names))} cannot be used with keywords=: the search by keywords "
            f"would ignore them, and could find what they leave out."
        )


def expansion(
    search: IndexSearch | RetrieverSearch | KeywordSearch,
    keywords: KeywordSource | None,
    distance: int,
    project_id: str | None,
) -> Expansion | None:
    """Returns what joins nodes with their neighbors, if that is wanted.

    Raises:
        ConfigurationError: Neighbors cannot be found.
    """
    if not distance:
        return None
    store = StoreNeighbors(search.adapter) if isinstance(search, IndexSearch) else None
    # A keyword index knows objects by their own ids alone.
    has_own_ids = search.object_ids == OWN_FIELD
    source = neighbor_source(keywords if has_own_ids else None, store, search.name)
    return Expansion(source, distance, _passage_of, _with_passage, untraced, project_id)


def _node(found: KeywordPassage) -> NodeWithScore:
    return NodeWithScore(node=as_node(found.text, found.metadata, found.chunk_id))


def _passage_of(hit: Hit) -> Passage:
    node = hit.passage.node
    return Passage(node.get_content(MetadataMode.NONE), node.metadata)


def _with_passage(hit: Hit, passage: Passage) -> NodeWithScore:
    node = with_text(hit.passage.node, passage.text, passage.metadata)
    return NodeWithScore(node=node, score=hit.score)
