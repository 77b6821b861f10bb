"""The retrieval plan: which searches, checks and lists lead to the best passages for a subject.

A plan is a generator of steps without I/O. A driver (see ``drivers``) carries out each step and
sends the answer back, so that the synchronous and the asynchronous path share every decision.

Guarantees:

- A hit is returned only if a check in this plan allowed its object; being on a list is not enough.
- No object is checked twice in one plan.
- Allowed hits keep the store's order; none among those seen is left out for a worse one.
- A result is called complete only if the search is known to be exhaustive, or brought everything
  that the store holds, and nothing that could be readable was passed over. A list never proves
  that, unless the server is known to give whole lists and gave it for this question.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from managed_sync.access.checker import ListedObjects
from managed_sync.errors import AccessCheckError, ConfigurationError
from managed_sync.logs import get_logger
from managed_sync.retrieval.cost_model import (
    Experience,
    further_checks,
    is_uncertain,
    list_cost,
)
from managed_sync.retrieval.effects import (
    Inspect,
    ListObjects,
    Outcome,
    Plan,
    Reach,
    Search,
    Step,
    Strategy,
    Wanted,
)
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.prefilter import search_among
from managed_sync.retrieval.ranking import Hit, distinct, is_continued
from managed_sync.retrieval.report import Doubt
from managed_sync.retrieval.state import Progress, Sight

__all__ = ["retrieval_plan"]

logger = get_logger(__name__)


def retrieval_plan(
    strategy: Strategy,
    wanted: Wanted,
    *,
    object_filter: ObjectFilter | None = None,
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
        experience: What earlier questions showed, and this one will add to; it only steers costs.
        subject: Whose experience this is.
        kept_list: The subject's list, if it was kept from an earlier question.
    """
    retrieval = _Retrieval(wanted, object_filter, experience or Experience(), subject)
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
# A guess for stores that know how many chunks they hold; it only steers costs.
_CHUNKS_PER_OBJECT = 8
# A store of so few chunks is looked through to its end, where a list would leave a doubt.
_FEW_CHUNKS = 1_000


class _Retrieval(Progress):
    """One retrieval: what was seen so far, and what to do next."""

    def __init__(
        self,
        wanted: Wanted,
        object_filter: ObjectFilter | None,
        experience: Experience,
        subject: str,
    ) -> None:
        super().__init__(wanted)
        self._filter = object_filter
        self._experience = experience
        self._past = experience.of(subject)

    def post_filter(self) -> Plan:
        yield from self._look_first()
        yield from self._look_further()
        return (yield from self._conclude())

    def pre_filter(self) -> Plan:
        listed = yield ListObjects()
        self._take_list(listed)
        if not (yield from search_among(self, listed.object_ids, self._filter)):
            raise ConfigurationError(
                "strategy='pre_filter' needs the store's filter, but object_filter and the "
                "retriever's own arguments both set it. Combine them in one CustomObjectFilter, or "
                "use another strategy."
            )
        if not listed.proven:
            self.doubts.add(Doubt.LIST)
        if self.filter_ignored:
            self.doubts.add(Doubt.FILTER)
        return self.outcome()

    def auto(self, kept_list: ListedObjects | None) -> Plan:
        little_is_allowed = self._past.share is not None and self._past.share < _MUCH
        if kept_list is not None and little_is_allowed and not self.wanted.certain:
            self.listed = len(kept_list.object_ids)
            yield from self._continue_with(kept_list)
            return (yield from self._conclude())
        yield from self._look_first()
        may_list = True
        while not self.finished():
            if may_list and (yield from self._is_list_cheaper()):
                may_list = False
                yield from self._try_list()
            else:
                further = further_checks(self.sample(), self.wanted.k, self.round_trips)
                yield from self._check_further(further)
        is_out_of_reach = self.sight.exhausted and not self.sight.everything
        if may_list and (is_out_of_reach or (self.at_bound and not self.has_enough())):
            # Where the store's search does not reach, its filter may: behind what it leaves out,
            # or behind many chunks of few objects, each of which cost one check.
            yield from self._try_list()
        return (yield from self._conclude())

    def _is_list_cheaper(self) -> Generator[Step, Any, bool]:
        if self._experience.object_count is None:
            reach: Reach = yield Inspect(count=True)
            if reach.chunks is not None:
                self._experience.object_count = max(1, reach.chunks // _CHUNKS_PER_OBJECT)
                self._experience.is_small = reach.chunks <= _FEW_CHUNKS
        if self._experience.is_small and not self.wanted.trusts_lists:
            return False
        sample, k, object_count = self.sample(), self.wanted.k, self._experience.object_count
        known_size = self._past.list_size
        if known_size is None and is_uncertain(sample, k, object_count):
            # Both could turn out cheaper. Only the list is sure to be the last step, and tells how
            # long it is for the next time.
            return True
        # An estimate from nothing seen may be far off, and what a known list costs is sure.
        is_sure = known_size is not None and not sample.allowed
        worth = _WORTH_OF_A_KNOWN_LIST if is_sure else 1.0
        listing = list_cost(sample, known_size, object_count)
        return listing + k < worth * further_checks(sample, k, self.round_trips)

    def _try_list(self) -> Generator[Step, Any, None]:
        """Searches among the subject's list; without one, checking goes on."""
        try:
            listed = yield ListObjects()
        except AccessCheckError as error:
            logger.warning(
                "Listing readable objects failed, so hits are checked instead: %s", error
            )
            self.round_trips += 1
            # The next question is not to wait for the same failure.
            self._past.list_size = self._experience.object_count or len(self.decisions)
            return
        self._take_list(listed)
        yield from self._continue_with(listed)

    def _continue_with(self, listed: ListedObjects) -> Generator[Step, Any, None]:
        """Searches among a list, as far as the list and the store's filter can be trusted."""
        allowed = {object_id for object_id, allowed in self.decisions.items() if allowed}
        if not allowed <= listed.object_ids or (self.wanted.certain and not listed.proven):
            # A list that lacks what a check allowed lacks more than that.
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
        unfiltered, doubts = self.sight, set(self.doubts)
        is_searched = yield from search_among(self, listed.object_ids, self._filter, beside)
        if is_searched and listed.whole and not self.filter_ignored and self.finished():
            if not listed.proven:
                self.doubts.add(Doubt.LIST)
            return
        filtered = self.allowed_in_sight() if is_searched else []
        listed_doubts = self.doubts
        self.sight, self.doubts = unfiltered, doubts
        if listed.whole or self._count_with(filtered) < self.wanted.k:
            self.strategy = "post_filter"
            yield from self._look_further()
        strategy, self.strategy = self.strategy, "post_filter"
        yield from self._inspect()
        if self.is_certain():
            return
        # What the filtered search found is allowed, but where the store's own ranking was not seen
        # far enough, something that the list lacks could be better.
        self.strategy = strategy
        self.doubts |= listed_doubts | {Doubt.LIST}
        self.see_merged(self.allowed_in_sight(), filtered)

    def _count_with(self, filtered: Sequence[Hit]) -> int:
        return len(distinct([*self.settled(), *filtered]))

    # Looking at the store's own ranking

    def _look_first(self) -> Generator[Step, Any, None]:
        objects = self.wanted.k * self.wanted.overfetch
        much_is_allowed = self._past.share is not None and self._past.share >= _MUCH
        width = 1.0 if much_is_allowed else self._experience.hits_per_object
        yield from self._search(math.ceil(objects * min(width, _WIDEST_FIRST_LOOK)))
        in_sight = len(self.undecided())
        if self._past.share is None and in_sight < objects / 2 and not self.sight.exhausted:
            # A few objects are too small a sample to tell how far to look.
            wider = objects * min(objects // max(in_sight, 1), _WIDEST_FIRST_LOOK)
            if wider > self.sight.limit:
                yield from self._search(wider)
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
        if len(self.undecided()) >= count or self.sight.exhausted or self.at_bound:
            return
        objects = len(self.decisions) + count
        needed = math.ceil(1.25 * self.hits_per_object() * objects)
        first_look = self.wanted.k * self.wanted.overfetch
        yield from self._search(max(needed, 2 * self.sight.limit, first_look))

    def _search(self, limit: int) -> Generator[Step, Any, None]:
        limit = min(limit, self.wanted.max_candidates)
        found: Sequence[Hit] = yield Search(limit)
        self.searches += 1
        self.scores.learn(found)
        hits = distinct(found)
        if not is_continued(self.sight.hits, hits):
            self.doubts.add(Doubt.UNSTEADY)
        is_short = len(found) < limit
        self.see(Sight(hits, limit, exhausted=is_short or not self.wanted.widens))
        if is_short:
            yield from self._inspect(count=True)

    def _inspect(self, *, count: bool = False) -> Generator[Step, Any, None]:
        """Finds out whether what is in sight is in exact order, and whether it is everything."""
        sight = self.sight
        if sight.exact or sight.everything:
            return
        reach: Reach = yield Inspect(count=count)
        counted = reach.chunks is not None and len(sight.hits) >= reach.chunks
        everything = counted or (reach.exhaustive and sight.exhausted and self.wanted.widens)
        self.see(replace(sight, exact=reach.exhaustive, everything=everything))

    def _conclude(self) -> Generator[Step, Any, Outcome]:
        if self.strategy == "post_filter" and self.has_enough():
            # Only now does it matter whether the order of these is the exact one.
            yield from self._inspect()
        return self.outcome()

    def _take_list(self, listed: Any) -> None:
        self.round_trips += 1
        self.listed = self._past.list_size = len(listed.object_ids)
