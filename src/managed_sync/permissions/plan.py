"""The retrieval plan: which searches, checks and lists lead to the best passages for a subject.

A plan is a generator of steps without I/O. A driver (see ``drivers``) carries out each step and
sends the answer back, so that the synchronous and the asynchronous path share every decision.

What this module promises:

- A hit is returned only if a check in this plan allowed its object; being on a list is not enough.
- No object is checked twice in one plan.
- Allowed hits keep the store's order; none among those seen is left out for a worse one.
- A list that may be cut off, or that lacks what a check allowed, is never taken for the whole.
- A result of fewer than ``k`` passages is complete, or says that it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from typing import Any

from managed_sync.permissions.checker import ListedObjects
from managed_sync.permissions.costs import (
    Experience,
    further_checks,
    is_uncertain,
    list_cost,
)
from managed_sync.permissions.list_search import search_among
from managed_sync.permissions.object_filter import ObjectFilter
from managed_sync.permissions.progress import Progress
from managed_sync.permissions.ranking import Hit
from managed_sync.permissions.steps import (
    ListObjects,
    Plan,
    Search,
    Step,
    Strategy,
    Wanted,
)

__all__ = ["retrieval_plan"]


def retrieval_plan(
    strategy: Strategy,
    wanted: Wanted,
    *,
    object_filter: ObjectFilter | None = None,
    object_count: int | None = None,
    chunk_count: Callable[[], int | None] = lambda: None,
    experience: Experience | None = None,
    subject: str = "",
    kept_list: ListedObjects | None = None,
) -> Plan:
    """A plan for one question.

    Args:
        strategy: ``post_filter`` searches, checks what was found, and looks further until there
            is enough. ``pre_filter`` lists what the subject may read, searches among that, and
            checks what comes back. ``auto`` begins as the first, and goes over to the second when
            what it sees says that looking further would cost more.
        wanted: What to bring.
        object_filter: What the store's own filter can do; without one only ``post_filter`` works.
        object_count: About how many objects the store holds, if known; it only steers costs.
        chunk_count: Asks how many chunks the store holds, to tell whether a search that brought
            fewer hits than it asked for has seen them all.
        experience: What earlier questions showed, and this one will add to; it only steers costs.
        subject: Whose experience this is.
        kept_list: The subject's list, if it was kept from an earlier question.
    """
    retrieval = _Retrieval(
        wanted,
        object_filter,
        object_count=object_count,
        chunk_count=chunk_count,
        experience=experience or Experience(),
        subject=subject,
    )
    if strategy == "post_filter" or object_filter is None:
        return retrieval.post_filter()
    if strategy == "pre_filter":
        return retrieval.pre_filter()
    return retrieval.auto(kept_list)


# Whoever could read this share of what was checked last time is not looked far for.
_MUCH = 0.5
# How many times the usual number of hits a first search asks for, at most.
_WIDEST_FIRST_LOOK = 20
# A known list may cost this many times an estimate that rests on nothing.
_WORTH_OF_A_KNOWN_LIST = 8.0
# Beside a list that may be cut off, the store's own ranking is checked too, by this share of the
# list's length, for what the list may lack.
_EFFORT_BESIDE_A_LIST = 0.4


class _Retrieval(Progress):
    """One retrieval: what was seen so far, and what to do next."""

    def __init__(
        self,
        wanted: Wanted,
        object_filter: ObjectFilter | None,
        *,
        object_count: int | None,
        chunk_count: Callable[[], int | None],
        experience: Experience,
        subject: str,
    ) -> None:
        super().__init__(wanted)
        self._filter = object_filter
        self._object_count = object_count
        self._chunk_count = chunk_count
        self._experience = experience
        self._past = experience.of(subject)

    def post_filter(self) -> Plan:
        yield from self._look_first()
        yield from self._look_further()
        return self.outcome()

    def pre_filter(self) -> Plan:
        listed = yield ListObjects()
        self._take_list(listed)
        yield from search_among(self, listed.object_ids, self._filter)
        self.doubtful = not listed.whole or self.filter_ignored
        return self.outcome()

    def auto(self, kept_list: ListedObjects | None) -> Plan:
        if kept_list is not None and self._past.share is not None and self._past.share < _MUCH:
            self.listed = len(kept_list.object_ids)
            yield from self._continue_with(kept_list)
            return self.outcome()
        yield from self._look_first()
        while not self.finished():
            if self._is_list_cheaper():
                listed = yield ListObjects()
                self._take_list(listed)
                yield from self._continue_with(listed)
                break
            further = further_checks(self.sample(), self.wanted.k, self.round_trips)
            yield from self._check_further(further)
        if self.stopped_short and self.listed is None:
            # Where the store's search does not reach, its filter may.
            listed = yield ListObjects()
            self._take_list(listed)
            yield from self._continue_with(listed)
        return self.outcome()

    def _is_list_cheaper(self) -> bool:
        sample, k = self.sample(), self.wanted.k
        known_size = self._past.list_size
        if known_size is None and is_uncertain(sample, k, self._object_count):
            # Both could turn out cheaper. Only the list is sure to be the last step, and tells how
            # long it is for the next time.
            return True
        # An estimate from nothing seen may be far off, and what a known list costs is sure.
        is_sure = known_size is not None and not sample.allowed
        worth = _WORTH_OF_A_KNOWN_LIST if is_sure else 1.0
        listing = list_cost(sample, known_size, self._object_count)
        return listing + k < worth * further_checks(sample, k, self.round_trips)

    def _continue_with(self, listed: ListedObjects) -> Generator[Step, Any, None]:
        """Searches among a list, as far as the list and the store's filter can be trusted."""
        allowed = {object_id for object_id, allowed in self.decisions.items() if allowed}
        if not allowed <= listed.object_ids:
            # The list lacks what a check allowed, so it lacks more than that.
            yield from self._look_further()
            return
        beside: tuple[str, ...] = ()
        if not listed.whole:
            count = min(
                math.ceil(_EFFORT_BESIDE_A_LIST * len(listed.object_ids)),
                further_checks(self.sample(), self.wanted.k, self.round_trips),
            )
            yield from self._widen(count)
            beside = self.undecided()[:count]
        unfiltered = (self.ranking, self.limit, self.exhausted, self.stopped_short)
        yield from search_among(self, listed.object_ids, self._filter, beside)
        if listed.whole and not self.filter_ignored and self.finished():
            return
        filtered = self.allowed_in_sight()
        self.ranking, self.limit, self.exhausted, self.stopped_short = unfiltered
        if listed.whole or len(self.merged(self.settled(), filtered)) < self.wanted.k:
            self.strategy = "post_filter"
            yield from self._look_further()
        # What the filtered search found is allowed, but where the store's own ranking was not seen
        # far enough, something that the list lacks could be better.
        self.doubtful = not self.is_certain()
        self.set_ranking(self.merged(self.allowed_in_sight(), filtered))

    # Looking at the store's own ranking

    def _look_first(self) -> Generator[Step, Any, None]:
        objects = self.wanted.k * self.wanted.overfetch
        much_is_allowed = self._past.share is not None and self._past.share >= _MUCH
        width = 1.0 if much_is_allowed else self._experience.hits_per_object
        yield from self._search(math.ceil(objects * min(width, _WIDEST_FIRST_LOOK)))
        in_sight = len(self.undecided())
        if self._past.share is None and in_sight < objects / 2 and not self.exhausted:
            # A few objects are too small a sample to tell how far to look.
            yield from self._search(objects * min(objects // max(in_sight, 1), _WIDEST_FIRST_LOOK))
        yield from self.check(self.undecided()[:objects])
        if self.decisions:
            self._past.share = sum(self.decisions.values()) / len(self.decisions)
            self._experience.hits_per_object = self.hits_per_object()

    def _look_further(self) -> Generator[Step, Any, None]:
        while not self.finished():
            further = further_checks(self.sample(), self.wanted.k, self.round_trips)
            yield from self._check_further(further)

    def _check_further(self, count: int) -> Generator[Step, Any, None]:
        yield from self._widen(count)
        yield from self.check(self.undecided()[:count])

    def _widen(self, count: int) -> Generator[Step, Any, None]:
        """Searches so far that ``count`` objects without a decision are in sight."""
        if len(self.undecided()) >= count or self.exhausted:
            return
        objects = len(self.decisions) + count
        needed = math.ceil(1.25 * self.hits_per_object() * objects)
        first_look = self.wanted.k * self.wanted.overfetch
        yield from self._search(max(needed, 2 * self.limit, first_look))

    def _search(self, limit: int) -> Generator[Step, Any, None]:
        self.limit = min(limit, self.wanted.max_candidates)
        found: Sequence[Hit] = yield Search(self.limit)
        self.searches += 1
        self.learn_direction(found)
        self.exhausted = len(found) < self.limit or not self.wanted.widens
        self.stopped_short = self.exhausted and not self._has_seen_all(found)
        self.set_ranking(found)

    def _has_seen_all(self, found: Sequence[Hit]) -> bool:
        """Whether a search that brought fewer hits than it asked for has seen all there are.

        An approximate search may stop long before.
        """
        if not self.wanted.widens:
            return False
        if self._filter is None or self._filter.exact:
            return True
        count = self._chunk_count()
        return count is not None and len(found) >= count

    def _take_list(self, listed: Any) -> None:
        self.round_trips += 1
        self.listed = self._past.list_size = len(listed.object_ids)
