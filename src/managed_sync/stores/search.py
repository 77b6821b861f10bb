"""A search of a vector store that a filter on object ids can confine, in either framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from managed_sync.retrieval.effects import Inspect, Reach, Search
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.stores.base import StoreAdapter

__all__ = ["FilterableSearch"]


class FilterableSearch:
    """Combines the caller's arguments with a filter on object ids, which must not replace them.

    Args:
        adapter: The store.
        own: The caller's own arguments of the store's search.
        custom: The caller's own filter on object ids, in place of the store's.

    Attributes:
        object_filter: The filter on object ids; ``None`` for an unknown store without a custom one.
        can_filter: Whether the caller's arguments leave room for it. A custom filter shows only
            when it is used which arguments it sets.
        can_return_more: Whether a search that asks for more can return more.
    """

    can_return_more = True

    def __init__(
        self, adapter: StoreAdapter, own: Mapping[str, Any], custom: ObjectFilter | None
    ) -> None:
        self._adapter = adapter
        self._own = own
        self._custom = custom
        known = adapter if adapter.is_known else None
        self.object_filter: ObjectFilter | None = custom or known
        self.can_filter = custom is not None or own.keys().isdisjoint(adapter.arguments)

    def arguments(self, step: Search) -> dict[str, Any] | None:
        """Returns the arguments of one search, without its limit.

        They are ``None`` if the caller's arguments do not let it be confined to the step's objects.
        """
        own = self._adapter.completed(self._own) if self._own else {}
        if step.objects is None or self.object_filter is None:
            return own
        confined = self.object_filter.search_kwargs(step.objects)
        return {**own, **confined} if own.keys().isdisjoint(confined) else None

    def reach(self, step: Inspect) -> Reach:
        """Returns how far searches with these arguments reach."""
        reach = self._adapter.reach(step, self._own)
        if self._custom is None:
            return reach
        exact = self._custom.exact and self._own.keys() <= set(self._adapter.harmless)
        # A custom filter says how confined searches work; the others work as the store does.
        return Reach(exact or (reach.exhaustive and step.objects is None), reach.chunks)
