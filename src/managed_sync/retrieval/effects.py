"""The effects of a retrieval: searches, checks and lists; and the specification of its result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol, TypeAlias

from managed_sync.access.check_requests import Decision, ListedObjects
from managed_sync.access.checker import AccessChecker
from managed_sync.retrieval.ranking import Hit

__all__ = [
    "Inspect",
    "Reach",
    "RetrievalEffects",
    "RetrievalSpec",
    "Search",
    "Searcher",
    "Strategy",
]

Strategy: TypeAlias = Literal["auto", "post_filter", "pre_filter"]


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the best hits of the store, among all or those of some objects only.

    Attributes:
        limit: The number of hits.
        objects: The objects, or ``None`` for all.
    """

    limit: int
    objects: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Inspect:
    """A question how far searches reach, among all or those of some objects only.

    Attributes:
        objects: The objects, or ``None`` for all.
        count: Whether the number of chunks is wanted too, where it takes an effort.
    """

    objects: tuple[str, ...] | None = None
    count: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """The reach of a store's searches. The default is a store about which nothing is known.

    Attributes:
        exhaustive: Whether a search is known to compare the question with every chunk, so that its
            order is exact and a result shorter than asked for is all there is.
        chunks: The largest number of chunks there can be, if the store can count them.
    """

    exhaustive: bool = False
    chunks: int | None = None


@dataclass(frozen=True, slots=True)
class RetrievalSpec:
    """The specification of a retrieval's result.

    Attributes:
        k: The number of passages.
        overfetch: The first search asks for ``k`` times this many hits.
        max_candidates: No search asks for more hits than this.
        max_per_object: The largest number of passages of one object.
        can_return_more: Whether a search that asks for more can return more.
        trusts_lists: Whether lists are known to lack nothing.
        certain: Whether to rely on nothing that may lack something, such as other lists.
    """

    k: int
    overfetch: int = 5
    max_candidates: int = 10_000
    max_per_object: int | None = None
    can_return_more: bool = True
    trusts_lists: bool = False
    certain: bool = False


class Searcher(Protocol):
    """Searches a store for one question."""

    def search(self, step: Search) -> Sequence[Hit] | None:
        """Returns the hits of one search, best first; ``None`` if it cannot be confined so."""

    async def asearch(self, step: Search) -> Sequence[Hit] | None:
        """Like ``search``, without blocking the event loop."""

    def reach(self, step: Inspect) -> Reach:
        """Returns how far searches reach; it may wait for the store."""


@dataclass(frozen=True, slots=True)
class RetrievalEffects:
    """The effects of one retrieval for one subject; ``kept_list`` never blocks."""

    search: Callable[[Search], Sequence[Hit] | Awaitable[Sequence[Hit] | None] | None]
    inspect: Callable[[Inspect], Reach | Awaitable[Reach]]
    decide: Callable[[Sequence[str]], Sequence[Decision] | Awaitable[Sequence[Decision]]]
    list_objects: Callable[[], ListedObjects | Awaitable[ListedObjects]]
    kept_list: Callable[[], ListedObjects | None]

    @classmethod
    def of(cls, subject: str, checker: AccessChecker, searcher: Searcher) -> RetrievalEffects:
        """Returns effects that block."""
        return cls(
            searcher.search,
            searcher.reach,
            partial(checker.decide, subject),
            partial(checker.list_objects, subject),
            partial(checker.kept_list, subject),
        )

    @classmethod
    def asynchronous(
        cls, subject: str, checker: AccessChecker, searcher: Searcher
    ) -> RetrievalEffects:
        """Returns effects that are awaited."""

        async def inspect(step: Inspect) -> Reach:
            return await asyncio.to_thread(searcher.reach, step)

        return cls(
            searcher.asearch,
            inspect,
            partial(checker.adecide, subject),
            partial(checker.alist_objects, subject),
            partial(checker.kept_list, subject),
        )
