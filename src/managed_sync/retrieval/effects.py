"""The effects of a retrieval, the source that it searches, and the specification of its result."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Literal, Protocol, TypeAlias

from managed_sync.access.check_requests import Decision, ListedObjects
from managed_sync.access.object_ids import ObjectIds
from managed_sync.documents.metadata_condition import MetadataCondition
from managed_sync.retrieval.diversity import Diversity
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit

__all__ = [
    "Inspect",
    "Question",
    "Reach",
    "RetrievalEffects",
    "RetrievalSpec",
    "Search",
    "SearchSource",
    "StoreEffect",
    "Strategy",
]

Strategy: TypeAlias = Literal["auto", "post_filter", "pre_filter"]


@dataclass(frozen=True, slots=True)
class Search:
    """A search for the best hits of the store, among all or those of some objects only.

    Attributes:
        limit: The number of hits.
        objects: The objects, or ``None`` for all.
        most: The largest number of hits to ask a source for that returns fewer than it finds.
    """

    limit: int
    objects: tuple[str, ...] | None = None
    most: int = field(default=10_000, compare=False)


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
        sample: The number of objects that the first search should show, to learn how many of them
            are allowed; by default as many as hits.
    """

    k: int
    overfetch: float = 5
    max_candidates: int = 10_000
    max_per_object: int | None = None
    can_return_more: bool = True
    trusts_lists: bool = False
    certain: bool = False
    sample: int | None = None

    @property
    def first_look(self) -> int:
        """Returns the number of hits that the first search asks for, if nothing is known."""
        return math.ceil(self.k * self.overfetch)


@dataclass(frozen=True, slots=True)
class RetrievalEffects:
    """The effects of one retrieval for one subject; each returns its result or an awaitable of it.

    Attributes:
        search: Returns the hits of one search, best first; ``None`` if the store cannot be
            confined to the objects of the search.
        inspect: Returns the reach of searches.
        decide: Returns one decision for each object.
        list_objects: Returns the objects that the subject may read.
        kept_list: Returns the list if it was kept from an earlier retrieval; it never blocks.
    """

    search: Callable[[Search], Sequence[Hit] | Awaitable[Sequence[Hit] | None] | None]
    inspect: Callable[[Inspect], Reach | Awaitable[Reach]]
    decide: Callable[[Sequence[str]], Sequence[Decision] | Awaitable[Sequence[Decision]]]
    list_objects: Callable[[], ListedObjects | Awaitable[ListedObjects]]
    kept_list: Callable[[], ListedObjects | None]


@dataclass(slots=True)
class StoreEffect:
    """An effect on a store, which may run at the same time as those on other stores.

    Attributes:
        function: Searches or inspects the store.
        step: Its argument.
        seconds: The time that it took, once it has ended.
    """

    function: Callable[[Any], Any]
    step: Search | Inspect
    seconds: float = field(default=0.0, init=False)

    def __call__(self) -> Any:
        """Returns the function's result, or an awaitable of it."""
        began = perf_counter()
        result = self.function(self.step)
        if isinstance(result, Awaitable):
            return self._awaited(result, began)
        self.seconds = perf_counter() - began
        return result

    async def _awaited(self, result: Awaitable[Any], began: float) -> Any:
        try:
            return await result
        finally:
            self.seconds = perf_counter() - began


class SearchSource(Protocol):
    """A store or a retriever that questions are put to.

    Attributes:
        name: Its name, for warnings.
        object_ids: Finds the id of a passage's object in its metadata.
        object_filter: Its filter on object ids, if it is known.
        diversity: The settings of MMR, if the caller asked for it.
    """

    name: str
    object_ids: ObjectIds
    object_filter: ObjectFilter | None
    diversity: Diversity | None

    @property
    def can_filter(self) -> bool:
        """Returns whether the filter on object ids can be used."""


class Question(Protocol):
    """One question to a source."""

    @property
    def query(self) -> object:
        """The question, as the framework passes it around."""

    @property
    def text(self) -> str:
        """The text of the question."""

    @property
    def conditions(self) -> Sequence[MetadataCondition] | None:
        """The caller's filters, as a keyword index applies them; ``None`` if it cannot."""

    def reach(self, step: Inspect) -> Reach:
        """Returns how far the question's searches reach; it may wait for the store."""

    def search(self, step: Search) -> Sequence[Hit] | None:
        """Returns the hits of one search, best first.

        It returns ``None`` if the source cannot be confined to the objects of the search.
        """

    async def asearch(self, step: Search) -> Sequence[Hit] | None:
        """Like ``search``, without blocking the event loop."""

    def diverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Returns the ``k`` hits that are near the question and unlike each other, by MMR."""

    async def adiverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Like ``diverse``, without blocking the event loop."""
