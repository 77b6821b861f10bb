"""The parts of a LangChain retriever besides its search: keywords, a reranker, neighbors."""

from __future__ import annotations

from managed_sync.errors import ConfigurationError
from managed_sync.langchain.conversion import as_document, indexed_text, with_text, without_prefix
from managed_sync.langchain.reranking import reranker_of
from managed_sync.langchain.search import RetrieverSearch, StoreSearch
from managed_sync.langchain.tracing import untraced
from managed_sync.retrieval.hybrid.keyword_search import KeywordSearch, KeywordSource
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.refinement.neighbors import Expansion, NeighborSource, Passage
from managed_sync.retrieval.refinement.refinement import Refinement
from managed_sync.stores.neighbors import StoreNeighbors

__all__ = ["ARGUMENTS_WITH_KEYWORDS", "refinement", "searches_by_keywords"]

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


def refinement(
    search: StoreSearch | RetrieverSearch | KeywordSearch,
    keywords: KeywordSource | None,
    reranker: object,
    rerank_from: int,
    expand: int,
) -> Refinement:
    """Returns what happens to passages after the checks.

    Raises:
        ConfigurationError: ``reranker`` is none, or neighbors cannot be found.
    """
    expansion = None
    if expand:
        source = _neighbors(search, keywords)
        expansion = Expansion(source, expand, _passage_of, _with_passage, untraced)
    return Refinement(None if reranker is None else reranker_of(reranker), rerank_from, expansion)


def _neighbors(
    search: StoreSearch | RetrieverSearch | KeywordSearch, keywords: KeywordSource | None
) -> NeighborSource:
    if isinstance(keywords, NeighborSource):
        return keywords
    if isinstance(search, StoreSearch):
        source = StoreNeighbors(search.adapter, without_prefix)
        if source.is_available:
            return source
    raise ConfigurationError(
        f"expand is not available for {search.name}: passages cannot be read back by their object. "
        f"Pass keywords=KeywordIndex(...), or leave expand out."
    )


def _passage_of(hit: Hit) -> Passage:
    return Passage(indexed_text(hit.passage), hit.passage.metadata)


def _with_passage(hit: Hit, passage: Passage) -> object:
    return with_text(hit.passage, passage.text, passage.metadata)
