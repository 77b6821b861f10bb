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
from collections import Counter
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from typing import Any

from managed_sync.permissions.checker import ListedObjects
from managed_sync.permissions.costs import (
    Experience,
    Sample,
    further_checks,
    is_uncertain,
    list_cost,
)
from managed_sync.permissions.object_filter import ObjectFilter
from managed_sync.permissions.ranking import Hit, direction, distinct, merged
from managed_sync.permissions.report import RetrievalReport
from managed_sync.permissions.steps import (
    Check,
    ListObjects,
    Outcome,
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


class _Retrieval:
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
        self._wanted = wanted
        self._filter = object_filter
        self._object_count = object_count
        self._chunk_count = chunk_count
        self._experience = experience
        self._past = experience.of(subject)
        self._strategy: Strategy = "post_filter"
        self._ranking: list[Hit] = []
        self._decisions: dict[str, bool] = {}
        self._limit = 0
        self._exhausted = False
        self._unidentified = 0
        self._searches = 0
        self._round_trips = 0
        self._listed: int | None = None
        self._stopped_short = False
        self._higher_is_better: bool | None = None
        self._filter_ignored = False
        self._doubtful = False
        self._seen: set[tuple[str, str]] = set()

    def post_filter(self) -> Plan:
        yield from self._look_first()
        yield from self._look_further()
        return self._outcome()

    def pre_filter(self) -> Plan:
        listed = yield ListObjects()
        self._take_list(listed)
        yield from self._search_among(listed.object_ids)
        self._doubtful = not listed.whole or self._filter_ignored
        return self._outcome()

    def auto(self, kept_list: ListedObjects | None) -> Plan:
        if kept_list is not None and self._past.share is not None and self._past.share < _MUCH:
            self._listed = len(kept_list.object_ids)
            yield from self._continue_with(kept_list)
            return self._outcome()
        yield from self._look_first()
        while not self._finished():
            if self._is_list_cheaper():
                listed = yield ListObjects()
                self._take_list(listed)
                yield from self._continue_with(listed)
                break
            further = further_checks(self._sample(), self._wanted.k, self._round_trips)
            yield from self._check_further(further)
        if self._stopped_short and self._listed is None:
            # Where the store's search does not reach, its filter may.
            listed = yield ListObjects()
            self._take_list(listed)
            yield from self._continue_with(listed)
        return self._outcome()

    def _is_list_cheaper(self) -> bool:
        sample, k = self._sample(), self._wanted.k
        known_size = self._past.list_size
        if known_size is None and is_uncertain(sample, k, self._object_count):
            # Both could turn out cheaper. Only the list is sure to be the last step, and tells how
            # long it is for the next time.
            return True
        # An estimate from nothing seen may be far off, and what a known list costs is sure.
        is_sure = known_size is not None and not sample.allowed
        worth = _WORTH_OF_A_KNOWN_LIST if is_sure else 1.0
        listing = list_cost(sample, known_size, self._object_count)
        return listing + k < worth * further_checks(sample, k, self._round_trips)

    def _continue_with(self, listed: ListedObjects) -> Generator[Step, Any, None]:
        """Searches among a list, as far as the list and the store's filter can be trusted."""
        allowed = {object_id for object_id, allowed in self._decisions.items() if allowed}
        if not allowed <= listed.object_ids:
            # The list lacks what a check allowed, so it lacks more than that.
            yield from self._look_further()
            return
        beside: tuple[str, ...] = ()
        if not listed.whole:
            count = min(
                math.ceil(_EFFORT_BESIDE_A_LIST * len(listed.object_ids)),
                further_checks(self._sample(), self._wanted.k, self._round_trips),
            )
            yield from self._widen(count)
            beside = self._undecided()[:count]
        unfiltered = (self._ranking, self._limit, self._exhausted, self._stopped_short)
        yield from self._search_among(listed.object_ids, beside)
        if listed.whole and not self._filter_ignored and self._finished():
            return
        filtered = self._allowed_in_sight()
        self._ranking, self._limit, self._exhausted, self._stopped_short = unfiltered
        if listed.whole or len(self._merged(self._settled(), filtered)) < self._wanted.k:
            self._strategy = "post_filter"
            yield from self._look_further()
        # What the filtered search found is allowed, but where the store's own ranking was not seen
        # far enough, something that the list lacks could be better.
        self._doubtful = not self._is_certain()
        self._set_ranking(self._merged(self._allowed_in_sight(), filtered))

    # Looking at the store's own ranking

    def _look_first(self) -> Generator[Step, Any, None]:
        objects = self._wanted.k * self._wanted.overfetch
        much_is_allowed = self._past.share is not None and self._past.share >= _MUCH
        width = 1.0 if much_is_allowed else self._experience.hits_per_object
        yield from self._search(math.ceil(objects * min(width, _WIDEST_FIRST_LOOK)))
        in_sight = len(self._undecided())
        if self._past.share is None and in_sight < objects / 2 and not self._exhausted:
            # A few objects are too small a sample to tell how far to look.
            yield from self._search(objects * min(objects // max(in_sight, 1), _WIDEST_FIRST_LOOK))
        yield from self._check(self._undecided()[:objects])
        if self._decisions:
            self._past.share = sum(self._decisions.values()) / len(self._decisions)
            self._experience.hits_per_object = self._hits_per_object()

    def _look_further(self) -> Generator[Step, Any, None]:
        while not self._finished():
            further = further_checks(self._sample(), self._wanted.k, self._round_trips)
            yield from self._check_further(further)

    def _check_further(self, count: int) -> Generator[Step, Any, None]:
        yield from self._widen(count)
        yield from self._check(self._undecided()[:count])

    def _widen(self, count: int) -> Generator[Step, Any, None]:
        """Searches so far that ``count`` objects without a decision are in sight."""
        if len(self._undecided()) >= count or self._exhausted:
            return
        objects = len(self._decisions) + count
        needed = math.ceil(1.25 * self._hits_per_object() * objects)
        first_look = self._wanted.k * self._wanted.overfetch
        yield from self._search(max(needed, 2 * self._limit, first_look))

    def _search(self, limit: int) -> Generator[Step, Any, None]:
        self._limit = min(limit, self._wanted.max_candidates)
        found: Sequence[Hit] = yield Search(self._limit)
        self._searches += 1
        self._learn_direction(found)
        self._exhausted = len(found) < self._limit or not self._wanted.widens
        self._stopped_short = self._exhausted and not self._has_seen_all(found)
        self._set_ranking(found)

    def _has_seen_all(self, found: Sequence[Hit]) -> bool:
        """Whether a search that brought fewer hits than it asked for has seen all there are.

        An approximate search may stop long before.
        """
        if not self._wanted.widens:
            return False
        if self._filter is None or self._filter.exact:
            return True
        count = self._chunk_count()
        return count is not None and len(found) >= count

    # Looking among the objects of a list

    def _search_among(
        self, object_ids: frozenset[str], beside: tuple[str, ...] = ()
    ) -> Generator[Step, Any, None]:
        """Searches among these objects, checks what comes back, and goes on until it is enough.

        The objects ``beside`` are checked along with the first ones.
        """
        self._strategy = "pre_filter"
        known = self._allowed_in_sight()
        candidates = [one for one in sorted(object_ids) if self._decisions.get(one, True)]
        limit = min(self._wanted.k, self._wanted.max_candidates)
        self._ranking, self._exhausted, self._limit = known, not candidates, limit
        self._stopped_short = False
        before: int | None = None
        # What is known so far may lie behind what is not, so one search is needed in any case.
        while candidates and (before is None or not self._finished()):
            rankings, short = [known], True
            cut: set[int] = set()
            for part in self._parts(candidates):
                found: Sequence[Hit] = yield Search(limit, part)
                self._searches += 1
                self._learn_direction(found)
                if len(found) >= limit:
                    short = False
                    cut.add(id(found[-1]))
                inside = set(part)
                kept = [hit for hit in found if hit.object_id in inside]
                self._filter_ignored = self._filter_ignored or len(kept) < len(found)
                rankings.append(kept)
            self._limit = limit
            if self._higher_is_better is None and sum(map(bool, rankings)) > 1:
                # Parts of one hit each do not show which of them is better.
                glance: Sequence[Hit] = yield Search(self._wanted.k * self._wanted.overfetch)
                self._searches += 1
                self._learn_direction(glance)
            together = self._merged(*rankings)
            # Behind the last hit of a part that has more, another part's hits may not be the best.
            last = next((n for n, hit in enumerate(together, 1) if id(hit) in cut), len(together))
            self._set_ranking(together[:last])
            self._exhausted = short and self._filter is not None and self._filter.exact
            yield from self._check(tuple(dict.fromkeys((*self._undecided(), *beside))))
            beside = ()
            # A store that filters after searching may hold more than it brings; one that brings
            # nothing new for a wider search has no way to bring it.
            stuck = short and not self._exhausted and len(self._ranking) == before
            if self._filter_ignored or stuck or limit >= self._wanted.max_candidates:
                return
            before = len(self._ranking)
            limit = min(4 * limit, self._wanted.max_candidates)

    def _learn_direction(self, found: Sequence[Hit]) -> None:
        if self._higher_is_better is None:
            self._higher_is_better = direction(found)

    def _merged(self, *rankings: Sequence[Hit]) -> list[Hit]:
        return merged(rankings, higher_is_better=self._higher_is_better)

    def _parts(self, object_ids: Sequence[str]) -> Iterable[tuple[str, ...]]:
        size = (self._filter.max_objects if self._filter else None) or len(object_ids)
        for start in range(0, len(object_ids), size):
            yield tuple(object_ids[start : start + size])

    def _take_list(self, listed: Any) -> None:
        self._round_trips += 1
        self._listed = self._past.list_size = len(listed.object_ids)

    # What is known

    def _set_ranking(self, found: Sequence[Hit]) -> None:
        hits = distinct(found)
        self._unidentified = max(self._unidentified, sum(not hit.object_id for hit in hits))
        self._ranking = [hit for hit in hits if hit.object_id]
        self._seen |= {
            (hit.object_id or "", hit.chunk_id or str(id(hit.passage))) for hit in self._ranking
        }

    def _check(self, object_ids: tuple[str, ...]) -> Generator[Step, Any, None]:
        if object_ids:
            allowed: set[str] = yield Check(object_ids)
            self._round_trips += 1
            self._decide(object_ids, allowed)

    def _decide(self, object_ids: Iterable[str], allowed: Collection[str]) -> None:
        self._decisions |= {object_id: object_id in allowed for object_id in object_ids}

    def _allowed_in_sight(self) -> list[Hit]:
        return [hit for hit in self._ranking if self._decisions.get(hit.object_id or "")]

    def _undecided(self) -> tuple[str, ...]:
        """Objects in sight that were not checked, best first."""
        objects = dict.fromkeys(hit.object_id for hit in self._ranking if hit.object_id)
        return tuple(object_id for object_id in objects if object_id not in self._decisions)

    def _settled(self) -> list[Hit]:
        """The allowed hits that no undecided hit goes before, ``k`` at most."""
        allowed: list[Hit] = []
        taken: Counter[str] = Counter()
        for hit in self._ranking:
            decision = self._decisions.get(hit.object_id or "")
            if decision is None or len(allowed) == self._wanted.k:
                break
            if decision and taken[hit.object_id or ""] != self._wanted.max_per_object:
                taken[hit.object_id or ""] += 1
                allowed.append(hit)
        return allowed

    def _finished(self) -> bool:
        """Whether there are enough hits, or no more to be had."""
        if len(self._settled()) >= self._wanted.k:
            return True
        at_the_end = self._exhausted or self._limit >= self._wanted.max_candidates
        return at_the_end and not self._undecided()

    def _is_certain(self) -> bool:
        """Whether what is settled is the best there is, and not only what could be seen."""
        if len(self._settled()) >= self._wanted.k:
            return True
        return self._exhausted and not self._stopped_short and not self._undecided()

    def _sample(self) -> Sample:
        found = self._settled()
        return Sample(
            checked=len(self._decisions),
            allowed=sum(self._decisions.values()),
            hits_per_object=self._hits_per_object(),
            found=len(found),
        )

    def _hits_per_object(self) -> float:
        objects = {hit.object_id for hit in self._ranking}
        return len(self._ranking) / max(len(objects), 1)

    def _outcome(self) -> Outcome:
        found = self._settled()
        decided = [
            self._decisions[object_id]
            for object_id, _ in self._seen
            if object_id in self._decisions
        ]
        return tuple(found), RetrievalReport(
            strategy=self._strategy,
            rounds=self._searches,
            round_trips=self._round_trips,
            candidates=len(decided),
            objects=len(self._decisions),
            listed=self._listed,
            returned=len(found),
            withheld=decided.count(False),
            unidentified=self._unidentified,
            complete=self._is_certain() and not self._doubtful,
            filter_ignored=self._filter_ignored,
        )
