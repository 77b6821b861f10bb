"""The strategies of retrieval: the searches, checks and lists that lead to the best passages.

A retrieval is a program of effects without I/O, so that the synchronous and the asynchronous
retrievers share every decision.

Guarantees:

- A hit is returned only if a check in this retrieval allowed its object; being on a list is not
  enough.
- No object is checked twice in one retrieval.
- Allowed hits keep the store's order, and none among those seen is left out for a worse one, unless
  the hits of several searches have scores that cannot be compared (``Doubt.SCORES``).
- A result is called complete only if the search is known to be exhaustive, or returned everything
  that the store holds, and nothing that could be readable was passed over. A list never proves
  that, unless the server is known to give whole lists and gave it for this question.

See ``docs/decisions/0014-retrieval-plan.md``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from managed_sync.access.check_requests import ListedObjects
from managed_sync.effects import Program
from managed_sync.errors import AccessCheckError, ConfigurationError
from managed_sync.logs import get_logger
from managed_sync.retrieval.cost_model import further_checks, is_uncertain, list_cost
from managed_sync.retrieval.effects import Strategy
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.prefilter import search_among
from managed_sync.retrieval.ranking import Hit, distinct, is_continued
from managed_sync.retrieval.report import Doubt
from managed_sync.retrieval.state import (
    Outcome,
    RetrievalState,
    RetrieverStats,
    Sight,
    SubjectStats,
)

__all__ = ["Retrieval"]

_logger = get_logger(__name__)

# A subject who could read this share of the objects checked last time needs no wide search.
_MUCH = 0.5
# A first search asks for at most this many times the usual number of hits.
_WIDEST_FIRST_LOOK = 20
# A list of known length may cost this many times an estimate that rests on nothing.
_WORTH_OF_A_KNOWN_LIST = 8.0
# Next to a list that may be cut off, the store's own ranking is checked too, by this share of the
# list's length, for objects that the list may lack.
_EFFORT_NEXT_TO_A_LIST = 0.4
# A guess for stores that know how many chunks they hold; it only steers costs.
_CHUNKS_PER_OBJECT = 8
# A store of so few chunks is searched to its end, since a list would leave a doubt.
_FEW_CHUNKS = 1_000


@dataclass
class Retrieval(RetrievalState):
    """One retrieval: its state, and the strategies that continue from it.

    Attributes:
        object_filter: The store's own filter; without one only ``post_filter`` works.
        stats: What earlier retrievals showed, and this one adds to; it only steers costs.
        past: What they showed of the subject.
    """

    object_filter: ObjectFilter | None = None
    stats: RetrieverStats = field(default_factory=RetrieverStats)
    past: SubjectStats = field(default_factory=SubjectStats)

    def by(self, strategy: Strategy) -> Program[Outcome]:
        """Returns the program of a strategy.

        Args:
            strategy: ``post_filter`` searches, checks the hits, and searches further until there
                are enough. ``pre_filter`` lists the objects that the subject may read, searches
                among these, and checks the hits. ``auto`` begins as the first, and changes over to
                the second when it estimates that searching further would cost more.
        """
        if strategy == "post_filter" or self.object_filter is None:
            return self._post_filter()
        return self._pre_filter() if strategy == "pre_filter" else self._auto()

    def _post_filter(self) -> Program[Outcome]:
        yield from self._search_first()
        yield from self._search_further()
        return (yield from self._conclude())

    def _pre_filter(self) -> Program[Outcome]:
        listed = yield from self.list_objects()
        self._take_list(listed)
        if not (yield from search_among(self, listed.object_ids, self.object_filter)):
            raise ConfigurationError(
                "strategy='pre_filter' needs the store's filter, but object_filter and the "
                "retriever's own arguments both set it, or the store's index cannot filter by the "
                "field of the object ids. Combine them in one CustomObjectFilter, index the field "
                "for filters, or use another strategy."
            )
        if not listed.proven:
            self.doubts.add(Doubt.LIST)
        if self.filter_ignored:
            self.doubts.add(Doubt.FILTER)
        return self.outcome()

    def _auto(self) -> Program[Outcome]:
        little_is_allowed = self.past.share is not None and self.past.share < _MUCH
        kept = None
        if little_is_allowed and not self.spec.certain:
            kept = self.effects.kept_list()
        if kept is not None:
            self.listed = len(kept.object_ids)
            yield from self._continue_with(kept)
            return (yield from self._conclude())
        yield from self._search_first()
        may_list = True
        while not self.finished():
            if may_list and (yield from self._is_list_cheaper()):
                may_list = False
                yield from self._try_list()
            else:
                further = further_checks(self.sample(), self.spec.k, self.checked.round_trips)
                yield from self._check_further(further)
        is_out_of_reach = self.sight.reached_end and not self.sight.everything
        if may_list and (is_out_of_reach or (not self.has_enough() and self.at_bound)):
            # The store's filter may reach hits that its search does not: those that the search
            # leaves out, or those behind many chunks of few objects, each of which cost one check.
            yield from self._try_list()
        return (yield from self._conclude())

    def _is_list_cheaper(self) -> Program[bool]:
        if self.stats.object_count is None:
            reach = yield from self.inspect(count=True)
            if reach.chunks is not None:
                self.stats.object_count = max(1, reach.chunks // _CHUNKS_PER_OBJECT)
                self.stats.is_small = reach.chunks <= _FEW_CHUNKS
        if self.stats.is_small and not self.spec.trusts_lists:
            return False
        if self.checked.listed is not None:
            # Another ranking of this retrieval asked for it.
            return True
        sample, k, object_count = self.sample(), self.spec.k, self.stats.object_count
        known_size = self.past.list_size
        if known_size is None and is_uncertain(sample, k, object_count):
            # Both could turn out cheaper. Only the list is sure to be the last step, and it shows
            # its length for the next time.
            return True
        # An estimate that rests on nothing may be far off; the cost of a known list is certain.
        is_sure = known_size is not None and not sample.allowed
        worth = _WORTH_OF_A_KNOWN_LIST if is_sure else 1.0
        listing = list_cost(sample, known_size, object_count)
        return listing + k < worth * further_checks(sample, k, self.checked.round_trips)

    def _try_list(self) -> Program[None]:
        """Searches among the subject's list; without a list, checking continues."""
        try:
            listed = yield from self.list_objects()
        except AccessCheckError as error:
            _logger.warning(
                "Listing readable objects failed, so hits are checked instead: %s", error
            )
            # The next retrieval must not wait for the same failure.
            self.past.list_size = self.stats.object_count or len(self.decisions)
            return
        self._take_list(listed)
        yield from self._continue_with(listed)

    def _continue_with(self, listed: ListedObjects) -> Program[None]:
        """Searches among a list, as far as the list and the store's filter can be trusted."""
        allowed = {object_id for object_id, allowed in self.decisions.items() if allowed}
        if not allowed <= listed.object_ids or (self.spec.certain and not listed.proven):
            # A list that lacks an object which a check allowed is likely to lack others too.
            yield from self._search_further()
            return
        also_check: tuple[str, ...] = ()
        if not listed.whole:
            count = min(
                math.ceil(_EFFORT_NEXT_TO_A_LIST * len(listed.object_ids)),
                further_checks(self.sample(), self.spec.k, self.checked.round_trips),
            )
            yield from self._widen(count)
            also_check = self.undecided()[:count]
        unfiltered, doubts = self.sight, set(self.doubts)
        is_searched = yield from search_among(
            self, listed.object_ids, self.object_filter, also_check
        )
        if is_searched and listed.whole and not self.filter_ignored and self.finished():
            if not listed.proven:
                self.doubts.add(Doubt.LIST)
            return
        filtered = self.allowed_in_sight() if is_searched else []
        listed_doubts = self.doubts
        self.sight, self.doubts = unfiltered, doubts
        if listed.whole or self._count_with(filtered) < self.spec.k:
            self.strategy = "post_filter"
            yield from self._search_further()
        strategy, self.strategy = self.strategy, "post_filter"
        yield from self._settle_order()
        if self.is_certain():
            return
        # The hits of the filtered search are allowed, but an object that the list lacks could have
        # a better hit in the part of the store's own ranking that was not seen.
        self.strategy = strategy
        self.doubts |= listed_doubts | {Doubt.LIST}
        self.see_merged(self.allowed_in_sight(), filtered)

    def _count_with(self, filtered: Sequence[Hit]) -> int:
        return len(distinct([*self.settle()[0], *filtered]))

    def _search_first(self) -> Program[None]:
        first_look = self.spec.first_look
        sample = self.spec.sample or first_look
        much_is_allowed = self.past.share is not None and self.past.share >= _MUCH
        width = 1.0 if much_is_allowed else self.stats.hits_per_object
        hits = math.ceil(sample * min(width, _WIDEST_FIRST_LOOK))
        yield from self._search_ranking(max(hits, first_look))
        in_sight = len(self.undecided())
        if self.past.share is None and in_sight < sample / 2 and not self.sight.reached_end:
            # A few objects are too small a sample to estimate how far to search.
            wider = sample * min(sample // max(in_sight, 1), _WIDEST_FIRST_LOOK)
            if wider > self.sight.limit:
                yield from self._search_ranking(wider)
        yield from self.check(self.undecided()[:first_look])
        if self.decisions:
            self.past.share = sum(self.decisions.values()) / len(self.decisions)
            self.stats.hits_per_object = self.hits_per_object()

    def _search_further(self) -> Program[None]:
        while not self.finished():
            further = further_checks(self.sample(), self.spec.k, self.checked.round_trips)
            yield from self._check_further(further)

    def _check_further(self, count: int) -> Program[None]:
        yield from self._widen(count)
        yield from self.check(self.undecided()[:count])

    def _widen(self, count: int) -> Program[None]:
        """Searches so far that ``count`` objects without a decision are in sight."""
        if len(self.undecided()) >= count or self.sight.reached_end or self.at_bound:
            return
        objects = self.decided_in_sight() + count
        needed = math.ceil(1.25 * self.hits_per_object() * objects)
        limit = max(needed, 2 * self.sight.limit, self.spec.first_look)
        yield from self._search_ranking(limit)

    def _search_ranking(self, limit: int) -> Program[None]:
        limit = min(limit, self.spec.max_candidates)
        found = yield from self.search(limit)
        if found is None:
            raise TypeError("A search among all objects must return hits, got None.")
        self.scores.learn(found)
        hits = distinct(found)
        if self.sight.hits and not is_continued(self.sight.hits, hits):
            self.doubts.add(Doubt.UNSTEADY)
        is_short = len(found) < limit
        self.see(Sight(hits, limit, reached_end=is_short or not self.spec.can_return_more))
        if is_short:
            yield from self._settle_order(count=True)

    def _settle_order(self, *, count: bool = False) -> Program[None]:
        """Finds out whether the hits in sight are in exact order, and whether they are all."""
        sight = self.sight
        if sight.exact or sight.everything:
            return
        reach = yield from self.inspect(count=count)
        counted = reach.chunks is not None and len(sight.hits) >= reach.chunks
        everything = counted or (
            reach.exhaustive and sight.reached_end and self.spec.can_return_more
        )
        self.see(replace(sight, exact=reach.exhaustive, everything=everything))

    def _conclude(self) -> Program[Outcome]:
        if self.strategy == "post_filter" and self.has_enough():
            # Only now does it matter whether the order of these hits is the exact one.
            yield from self._settle_order()
        return self.outcome()

    def _take_list(self, listed: ListedObjects) -> None:
        self.listed = self.past.list_size = len(listed.object_ids)
