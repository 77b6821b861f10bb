"""Other LangChain retrievers with a larger limit, as far as they have one.

A retriever that returns the documents of its hits, such as LangChain's ``ParentDocumentRetriever``,
returns fewer than it was asked for although there are more: several hits have one document.
"""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import Runnable, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase

from managed_sync.langchain.stores.registry import chunk_count

__all__ = ["can_be_widened", "folds_hits", "hit_count", "widened"]

# No search of a retriever that folds its hits asks for more of them.
MOST_HITS = 10_000


def widened(retriever: Runnable[Any, Any], limit: int) -> Runnable[Any, Any]:
    """Returns a copy of a retriever that asks its source for so many hits.

    One without a limit is returned as it is. Other threads may be searching with it.
    """
    changes: dict[str, Any] = {}
    if isinstance(retriever, RunnableBindingBase):
        changes = {"bound": widened(retriever.bound, limit)}
    elif isinstance(retriever, RunnableWithFallbacks):
        fallbacks = [widened(each, limit) for each in retriever.fallbacks]
        changes = {"runnable": widened(retriever.runnable, limit), "fallbacks": fallbacks}
    elif _has_k(retriever):
        changes = {"k": limit}
    elif _has_search_kwargs(retriever):
        own: dict[str, Any] = getattr(retriever, "search_kwargs")  # noqa: B009 - not of all
        fetched = {"fetch_k": max(limit, own["fetch_k"])} if "fetch_k" in own else {}
        changes = {"search_kwargs": {**own, **fetched, "k": limit}}
    if not changes:
        return retriever
    model: Any = retriever
    copy: Runnable[Any, Any] = model.model_copy(update=changes)
    return copy


def can_be_widened(retriever: Runnable[Any, Any]) -> bool:
    """Returns whether a retriever has a limit, or is made of one that has."""
    return any(_has_k(each) or _has_search_kwargs(each) for each in _parts(retriever))


def folds_hits(retriever: Runnable[Any, Any]) -> bool:
    """Returns whether a retriever may return fewer documents than its source has hits."""
    return any(_has_search_kwargs(each) and hasattr(each, "docstore") for each in _parts(retriever))


def hit_count(retriever: Runnable[Any, Any]) -> int:
    """Returns the largest number of hits that makes sense to ask for; it may wait for a store."""
    stores = [getattr(each, "vectorstore", None) for each in _parts(retriever)]
    counts = [None if store is None else chunk_count(store) for store in stores]
    return min(MOST_HITS, max(count or MOST_HITS for count in counts))


def _parts(retriever: Runnable[Any, Any]) -> list[Runnable[Any, Any]]:
    if isinstance(retriever, RunnableBindingBase):
        return _parts(retriever.bound)
    if isinstance(retriever, RunnableWithFallbacks):
        return [part for each in retriever.runnables for part in _parts(each)]
    return [retriever]


def _has_k(retriever: object) -> bool:
    return isinstance(getattr(retriever, "k", None), int)


def _has_search_kwargs(retriever: object) -> bool:
    return isinstance(getattr(retriever, "search_kwargs", None), dict)
