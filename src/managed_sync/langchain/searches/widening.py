"""Other LangChain retrievers with a larger limit, as far as they have one.

A retriever that returns the documents of its hits, such as LangChain's ``ParentDocumentRetriever``,
returns fewer than it was asked for although there are more: several hits have one document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable
from pydantic import BaseModel

from managed_sync.langchain.stores.registry import chunk_count

__all__ = ["can_be_widened", "folds_hits", "hit_count", "widened"]

# No search of a retriever that folds its hits asks for more of them.
MOST_HITS = 10_000


def widened(retriever: Runnable[Any, Any], limit: int) -> Runnable[Any, Any]:
    """Returns a copy of a retriever that asks its source for so many hits.

    One without a limit is returned as it is. Other threads may be searching with it.
    """
    changes: dict[str, Any] = {}
    if isinstance(retriever, DynamicRunnable):
        return _WidenedWhenConfigured(retriever, limit) if can_be_widened(retriever) else retriever
    if isinstance(retriever, RunnableBindingBase):
        if can_be_widened(retriever.bound):
            # What is bound to a retriever takes the place of its own arguments.
            wider = _wider(retriever.kwargs, limit)
            kwargs = {name: wider[name] for name in retriever.kwargs}
            changes = {"bound": widened(retriever.bound, limit), "kwargs": kwargs}
    elif isinstance(retriever, RunnableWithFallbacks):
        fallbacks = [widened(each, limit) for each in retriever.fallbacks]
        changes = {"runnable": widened(retriever.runnable, limit), "fallbacks": fallbacks}
    else:
        if _has_k(retriever):
            changes = {"k": limit}
        if _has_search_kwargs(retriever):
            own: dict[str, Any] = getattr(retriever, "search_kwargs")  # noqa: B009 - not of all
            # One with a ``k`` as well looks at so many hits, and returns ``k`` of them.
            if not changes or "k" in own:
                changes["search_kwargs"] = _wider(own, limit)
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
    if isinstance(retriever, DynamicRunnable):
        others = getattr(retriever, "alternatives", {}).values()
        found = [retriever.default, *(each for each in others if isinstance(each, Runnable))]
        return [part for each in found for part in _parts(each)]
    if isinstance(retriever, RunnableBindingBase):
        return _parts(retriever.bound)
    if isinstance(retriever, RunnableWithFallbacks):
        return [part for each in retriever.runnables for part in _parts(each)]
    return [retriever]


class _WidenedWhenConfigured(Runnable[Any, Any]):
    """A retriever that is made by the config of a call, and asks for so many hits then."""

    def __init__(self, retriever: DynamicRunnable[Any, Any], limit: int) -> None:
        self._retriever = retriever
        self._limit = limit

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Returns what the retriever for this config returns."""
        retriever, config = self._retriever.prepare(config)
        return widened(retriever, self._limit).invoke(input, config, **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """Returns what the retriever for this config returns."""
        retriever, config = self._retriever.prepare(config)
        return await widened(retriever, self._limit).ainvoke(input, config, **kwargs)


def _wider(arguments: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """Returns arguments of a search for so many hits."""
    fetched = arguments.get("fetch_k")
    more = {"fetch_k": max(limit, fetched)} if isinstance(fetched, int) else {}
    return {**arguments, **more, "k": limit}


def _has_k(retriever: object) -> bool:
    return _is_field(retriever, "k") and type(getattr(retriever, "k", None)) is int


def _has_search_kwargs(retriever: object) -> bool:
    name = "search_kwargs"
    return _is_field(retriever, name) and isinstance(getattr(retriever, name, None), dict)


def _is_field(retriever: object, name: str) -> bool:
    """Returns whether a copy of a retriever can be given another value."""
    return isinstance(retriever, BaseModel) and name in type(retriever).model_fields
