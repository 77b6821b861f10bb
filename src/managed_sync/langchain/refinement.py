"""The parts of a LangChain retriever besides its search: its arguments, keywords, neighbors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import Runnable
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel

from managed_sync.access.object_ids import OWN_FIELD
from managed_sync.errors import ConfigurationError
from managed_sync.langchain.conversion import as_document, indexed_text, with_text, without_prefix
from managed_sync.langchain.searches.retriever import RetrieverSearch
from managed_sync.langchain.searches.store import StoreSearch
from managed_sync.langchain.tracing import untraced
from managed_sync.retrieval.hybrid.keyword_search import KeywordSearch, KeywordSource
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.refinement.neighbors import Expansion, Passage
from managed_sync.stores.neighbors import StoreNeighbors, neighbor_source

__all__ = [
    "expansion",
    "refuse_ignored_arguments",
    "refuse_other_stores",
    "searches_by_keywords",
    "with_one_k",
]

# The arguments of a store's search that leave no passage out, and the filter, of which the search
# says itself whether a keyword index can apply it. All others could be filters, too.
_WITH_KEYWORDS = frozenset({"fetch_k", "lambda_mult", "filter"})


def with_one_k(values: Any) -> Any:
    """Returns a retriever's arguments with the ``k`` that LangChain has in ``search_kwargs``.

    Raises:
        ConfigurationError: Another one is among the arguments.
    """
    own = values.get("search_kwargs") if isinstance(values, Mapping) else None
    if not isinstance(own, Mapping) or "k" not in own:
        return values
    if values.get("k", own["k"]) != own["k"]:
        raise ConfigurationError(
            f"k={values['k']!r} and search_kwargs={{'k': {own['k']!r}}} differ. Pass only one of "
            f"them."
        )
    rest = {name: value for name, value in own.items() if name != "k"}
    return {**values, "k": own["k"], "search_kwargs": rest}


def refuse_other_stores(values: Any) -> None:
    """Refuses a retriever, or a store of another framework, in place of a vector store.

    Raises:
        ConfigurationError: There is one.
    """
    store = values.get("vectorstore") if isinstance(values, Mapping) else None
    if store is None or isinstance(store, VectorStore):
        return
    remedy = "Pass a VectorStore of LangChain"
    if isinstance(store, Runnable):
        remedy = "Use PermissionAwareRetriever.from_retriever(retriever, checker=...)"
    raise ConfigurationError(
        f"vectorstore must be a vector store, got {type(store).__name__}. {remedy}."
    )


def refuse_ignored_arguments(retriever: BaseModel) -> None:
    """Refuses arguments of a retriever that another one would make ignored.

    Raises:
        ConfigurationError: There is one.
    """
    given = dict(retriever)
    if given["reranker"] is not None and given["search_type"] == "mmr":
        raise ConfigurationError(
            "search_type='mmr' and reranker= both decide on the order; leave one of them out."
        )
    if given["keywords"] is not None:
        _refuse_what_keywords_ignore(given["search_type"], given["search_kwargs"])
    if given["vectorstore"] is None:
        owner = "the retriever that is passed to from_retriever()"
        if given["base_retriever"] is None:
            owner = "a retriever with vectorstore="
        for name in ("search_type", "search_kwargs", "object_filter"):
            _refuse(retriever, name, "is for a vector store", owner)
    if given["vectorstore"] is None and given["base_retriever"] is None:
        owner = "a retriever with vectorstore="
        _refuse(retriever, "object_id", "is for a vector store or another retriever", owner)
    if given["keywords"] is None:
        _refuse(retriever, "fusion", "is for two rankings", "a retriever with keywords=")


def _refuse(retriever: BaseModel, name: str, reason: str, owner: str) -> None:
    default = type(retriever).model_fields[name].get_default(call_default_factory=True)
    if getattr(retriever, name) != default:
        raise ConfigurationError(f"{name} {reason}. Set it on {owner}.")


def _refuse_what_keywords_ignore(search_type: str, search_kwargs: Mapping[str, Any]) -> None:
    if search_type == "similarity_score_threshold":
        raise ConfigurationError(
            "search_type='similarity_score_threshold' cannot be used with keywords=: passages "
            "that are found by keywords have no similarity to compare with score_threshold."
        )
    if ignored := sorted(search_kwargs.keys() - _WITH_KEYWORDS):
        raise ConfigurationError(
            f"search_kwargs {', '.join(ignored)} cannot be used with keywords=: the search by "
            f"keywords would ignore them, and could find what they leave out."
        )


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
    # A keyword index knows objects by their own ids alone.
    has_own_ids = search.object_ids == OWN_FIELD
    source = neighbor_source(keywords if has_own_ids else None, store, search.name)
    return Expansion(source, distance, _passage_of, _with_passage, untraced, project_id)


def _passage_of(hit: Hit) -> Passage:
    return Passage(indexed_text(hit.passage), hit.passage.metadata)


def _with_passage(hit: Hit, passage: Passage) -> object:
    return with_text(hit.passage, passage.text, passage.metadata)
