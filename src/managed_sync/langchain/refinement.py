"""The parts of a LangChain retriever besides its search: keywords, a reranker, neighbors."""

from __future__ import annotations

from managed_sync.langchain.conversion import as_document, indexed_text, with_text, without_prefix
from managed_sync.langchain.search import RetrieverSearch, StoreSearch
from managed_sync.langchain.tracing import untraced
from managed_sync.retrieval.hybrid.keyword_search import KeywordSearch, KeywordSource
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.refinement.neighbors import Expansion, Passage
from managed_sync.stores.neighbors import StoreNeighbors, neighbor_source

__all__ = ["ARGUMENTS_WITH_KEYWORDS", "expansion", "searches_by_keywords"]

# The arguments of a store's search that leave no passage out. All others could be filters, which a
# search by keywords would not know.
ARGUMENTS_WITH_KEYWORDS = frozenset({"fetch_k", "lambda_mult"})


def searches_by_keywords(
    keywords: KeywordSource | None, project_id: str | None
) -> KeywordSearch | None:
    """Returns the searches of a keyword index, if there is one."""
    if keywords is None:
        return None
    return KeywordSearch(
        keywords,
        lambda found: as_document(found.text, found.metadata, found.chunk_id),
        untraced,
        project_id,
    )


def expansion(
    search: StoreSearch | RetrieverSearch | KeywordSearch,
    keywords: KeywordSource | None,
    distance: int,
    project_id: str | None,
) -> Expansion | None:
    """Returns what joins passages with their neighbors, if that is wanted.

    Raises:
        ConfigurationError: Neighbors cannot be found.
    """
    if not distance:
        return None
    store = (
        StoreNeighbors(search.adapter, without_prefix) if isinstance(search, StoreSearch) else None
    )
    source = neighbor_source(keywords, store, search.name)
    return Expansion(source, distance, _passage_of, _with_passage, untraced, project_id)


def _passage_of(hit: Hit) -> Passage:
    return Passage(indexed_text(hit.passage), hit.passage.metadata)


def _with_passage(hit: Hit, passage: Passage) -> object:
    return with_text(hit.passage, passage.text, passage.metadata)
