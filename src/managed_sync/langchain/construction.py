"""The search and the engine of a LangChain retriever, made from its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from managed_sync.access.object_ids import object_ids_of
from managed_sync.arguments import check_integer
from managed_sync.errors import ConfigurationError
from managed_sync.langchain.refinement import (
    expansion,
    refuse_ignored_arguments,
    searches_by_keywords,
)
from managed_sync.langchain.reranking import reranker_of
from managed_sync.langchain.searches.retriever import RetrieverSearch
from managed_sync.langchain.searches.store import StoreSearch
from managed_sync.retrieval.effects import RetrievalSpec
from managed_sync.retrieval.engine import RetrievalEngine
from managed_sync.retrieval.hybrid.keyword_search import KeywordSearch, keyword_source
from managed_sync.retrieval.refinement.refinement import Refinement

if TYPE_CHECKING:
    from managed_sync.langchain.retriever import PermissionAwareRetriever

__all__ = ["AnySearch", "search_and_engine"]

AnySearch: TypeAlias = StoreSearch | RetrieverSearch | KeywordSearch


def search_and_engine(retriever: PermissionAwareRetriever) -> tuple[AnySearch, RetrievalEngine]:
    """Returns the search of a retriever, and the engine that retrieves with it.

    Raises:
        ConfigurationError: There is not exactly one store or retriever, it does not support the
            strategy, or an argument would be ignored.
    """
    checker, max_candidates = retriever.checker, retriever.max_candidates
    check_integer("k", retriever.k, at_most=max_candidates, limit="max_candidates")
    refuse_ignored_arguments(retriever)
    source = keyword_source(retriever.keywords)
    search, keywords = _searches(retriever, searches_by_keywords(source, checker.project_id))
    engine = RetrievalEngine(
        search,
        checker,
        strategy=retriever.strategy,
        spec=RetrievalSpec(
            retriever.k,
            overfetch=retriever.overfetch,
            max_candidates=max_candidates,
            max_per_object=retriever.max_per_object,
            can_return_more=search.can_return_more,
        ),
        raise_if_incomplete=retriever.raise_if_incomplete,
        keywords=keywords,
        fusion=retriever.fusion,
        refinement=Refinement(
            None
            if retriever.reranker is None
            else reranker_of(retriever.reranker, object_ids_of(retriever.object_id)),
            retriever.rerank_from,
            expansion(search, source, retriever.expand, checker.project_id),
        ),
    )
    return search, engine


def _searches(
    retriever: PermissionAwareRetriever, keywords: KeywordSearch | None
) -> tuple[AnySearch, KeywordSearch | None]:
    """Returns the search, and the search by keywords next to it."""
    store, other = retriever.vectorstore, retriever.base_retriever
    own = {name: value for name, value in retriever.search_kwargs.items() if name != "filter"}
    filters = retriever.search_kwargs.get("filter"), retriever.filter
    object_ids = object_ids_of(retriever.object_id)
    if store is not None and other is None:
        search = StoreSearch(
            store, retriever.search_type, own, retriever.object_filter, object_ids
        ).narrowed(*filters)
        if keywords is not None:
            keywords.check_conditions(search.conditions)
        return search, keywords
    if other is not None and store is None:
        return RetrieverSearch(other, object_ids).narrowed(*filters), keywords
    if keywords is not None and store is None:
        return keywords.narrowed(*filters), None
    raise ConfigurationError(
        "Pass a vectorstore, keywords, or both, or use from_retriever() for another retriever."
    )
