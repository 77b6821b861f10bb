"""The state of one retrieval: the hits in sight, the decisions on them, and the report.

Guarantees:

- A hit is settled only if a check of this retrieval allowed its object, and no undecided hit of a
  better rank could come before it.
- Hits of other projects are neither checked nor returned.
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, TypeAlias

from managed_sync.access.check_requests import ListedObjects
from managed_sync.access.checker import ProjectBoundary
from managed_sync.effects import Program, perform
from managed_sync.errors import AccessCheckError
from managed_sync.forks import OfProcess
from managed_sync.retrieval.cost_model import Sample
from managed_sync.retrieval.decisions import Decisions, ObjectsToCheck
from managed_sync.retrieval.effects import (
    Inspect,
    Reach,
    RetrievalEffects,
    RetrievalSpec,
    Search,
    StoreEffect,
    Strategy,
)
from managed_sync.retrieval.ranking import Hit, Scores, distinct
from managed_sync.retrieval.report import Doubt, RetrievalReport

__all__ = ["Outcome", "RetrievalState", "RetrieverStats", "Sight", "SubjectStats"]

Outcome: TypeAlias = tuple[Sequence[Hit], RetrievalReport]


@dataclass(frozen=True, slots=True)
class Sight:
    """The result of the latest search, or of several together.

    Attributes:
        hits: Distinct hits, best first.
        limit: The number of hits that were asked for.
        reached_end: Whether a wider search would return no more.
        exact: Whether the order is known to be the exact one.
        everything: Whether these are known to be all hits that there are.
    """

    hits: Sequence[Hit] = ()
    limit: int = 0
    reached_end: bool = False
    exact: bool = False
    everything: bool = False


@dataclass(slots=True)
class SubjectStats:
    """Sizes seen in earlier retrievals for one subject; it holds no permissions.

    Attributes:
        list_size: The length of the subject's list when it was last asked for.
        share: The share of objects that was allowed among those checked last.
    """

    list_size: int | None = None
    share: float | None = None


class RetrieverStats(OfProcess):
    """Sizes seen in earlier retrievals from one store, to steer the costs of the next one.

    Safe between threads. It remembers at most ``capacity`` subjects.

    Attributes:
        hits_per_object: How many of the best hits an object had, when it was last seen.
        object_count: The approximate number of objects in the store, once it was asked.
        is_small: Whether the store holds few chunks.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self.hits_per_object = 1.0
        self.object_count: int | None = None
        self.is_small = False
        self._capacity = capacity
        self._enter_process()

    def _begin(self) -> None:
        self._subjects: OrderedDict[str, SubjectStats] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, subject: str) -> SubjectStats:
        """Returns a subject's stats; the subject asked for longest ago makes room."""
        with self._lock:
            stats = self._subjects.setdefault(subject, SubjectStats())
            self._subjects.move_to_end(subject)
            if len(self._subjects) > self._capacity:
                self._subjects.popitem(last=False)
            return stats


@dataclass
class RetrievalState:
    """The ranking in sight, the decisions on it, and how far the search has come.

    Attributes:
        subject: The user that the retrieval is for.
        spec: The specification of its result.
        effects: Its searches, checks and lists.
        boundary: Tells the hits of the checker's project from others.
        strategy: The strategy of the latest search.
        sight: The hits in sight.
        checked: The decisions on objects, which other rankings of the retrieval may share.
        scores: What the store's scores tell.
        searches: The number of searches.
        listed: The length of the list of readable objects, where one was used.
        filter_ignored: Whether the store returned hits that its filter rules out.
        doubts: Reasons, found on the way, for which a better result may have been missed.
    """

    subject: str
    spec: RetrievalSpec
    effects: RetrievalEffects
    boundary: ProjectBoundary
    strategy: Strategy = "post_filter"
    sight: Sight = field(default_factory=Sight)
    checked: Decisions = field(default_factory=Decisions)
    scores: Scores = field(default_factory=Scores)
    searches: int = 0
    listed: int | None = None
    filter_ignored: bool = False
    doubts: set[Doubt] = field(default_factory=set)
    _search_seconds: float = 0.0
    _seen: dict[Hashable, str | None] = field(default_factory=dict)
    _foreign: set[Hashable] = field(default_factory=set)
    _settled: tuple[Sight | None, int, tuple[Sequence[Hit], Sequence[Hit]]] = (None, 0, ((), ()))

    @property
    def decisions(self) -> dict[str, bool]:
        """Returns whether the subject may read the objects that were checked."""
        return self.checked.allowed

    def search(
        self, limit: int, objects: tuple[str, ...] | None = None
    ) -> Program[list[Hit] | None]:
        """Searches the store; returns ``None`` if it cannot be searched among some objects only.

        Raises:
            ConfigurationError: The checker knows no project, and chunks of several were found.
        """
        found: Sequence[Hit] | None = yield from self._use_store(
            StoreEffect(self.effects.search, Search(limit, objects, self.spec.max_candidates))
        )
        if found is None:
            return None
        self.searches += 1
        is_inside = self.boundary.is_inside
        return [
            hit if is_inside(hit.project_id) else replace(hit, object_id=None, is_foreign=True)
            for hit in found
        ]

    def inspect(self, objects: tuple[str, ...] | None = None, *, count: bool) -> Program[Reach]:
        """Asks the store how far its searches reach."""
        reach: Reach = yield from self._use_store(
            StoreEffect(self.effects.inspect, Inspect(objects, count))
        )
        return reach

    def _use_store(self, effect: StoreEffect) -> Program[Any]:
        result = yield effect
        self._search_seconds += effect.seconds
        return result

    def check(self, object_ids: tuple[str, ...]) -> Program[None]:
        """Checks these objects, together with those that other rankings need at this moment."""
        if not object_ids:
            return
        together: tuple[str, ...] = yield ObjectsToCheck(object_ids)
        missing = self.checked.missing(together)
        if not missing:
            return
        began = perf_counter()
        decisions = yield from perform(self.effects.decide, missing)
        self.checked.seconds += perf_counter() - began
        self.checked.record(missing, decisions)

    def list_objects(self) -> Program[ListedObjects]:
        """Returns the list of objects that the subject may read, which is asked for once.

        Raises:
            AccessCheckError: There is no trustworthy list.
        """
        if self.checked.list_error is not None:
            raise self.checked.list_error
        if self.checked.listed is not None:
            return self.checked.listed
        began = perf_counter()
        try:
            self.checked.listed = yield from perform(self.effects.list_objects)
        except AccessCheckError as error:
            self.checked.list_error = error
            raise
        finally:
            self.checked.round_trips += 1
            self.checked.seconds += perf_counter() - began
        return self.checked.listed

    def see(self, sight: Sight) -> None:
        """Puts these hits in sight, in place of those before."""
        self.sight = sight
        for hit in sight.hits:
            if hit.is_foreign:
                self._foreign.add(hit.identities[0])
            else:
                self._seen[hit.identities[0]] = hit.object_id

    def see_merged(self, *rankings: Sequence[Hit]) -> None:
        """Adds hits of other rankings to those in sight."""
        hits = distinct(self.scores.merged(rankings))
        self.see(Sight(hits, self.sight.limit, self.sight.reached_end))

    def allowed_in_sight(self) -> list[Hit]:
        """Returns the hits in sight whose objects were allowed, settled or not."""
        return [
            hit
            for hit in self.sight.hits
            if hit.object_id is not None and self.decisions.get(hit.object_id, False)
        ]

    def undecided(self) -> tuple[str, ...]:
        """Returns the objects in sight that were not checked, best first."""
        objects = dict.fromkeys(hit.object_id for hit in self.sight.hits if hit.object_id)
        return tuple(object_id for object_id in objects if object_id not in self.decisions)

    def decided_in_sight(self) -> int:
        """Returns the number of objects in sight that were checked."""
        return len({hit.object_id for hit in self.sight.hits} & self.decisions.keys())

    def settle(self) -> tuple[Sequence[Hit], Sequence[Hit]]:
        """Returns the settled hits, and all hits that were passed on the way to the last one.

        Settled are the allowed hits that no undecided hit goes before, ``k`` at most.
        """
        # Decisions are only ever added, and hits in sight are only replaced as a whole.
        sight, decisions, settled = self._settled
        if sight is not self.sight or decisions != len(self.decisions):
            settled = self._settle()
            self._settled = self.sight, len(self.decisions), settled
        return settled

    def _settle(self) -> tuple[list[Hit], Sequence[Hit]]:
        allowed: list[Hit] = []
        taken: Counter[str] = Counter()
        for position, hit in enumerate(self.sight.hits):
            if len(allowed) == self.spec.k:
                return allowed, self.sight.hits[:position]
            if hit.object_id is None:
                continue
            decision = self.decisions.get(hit.object_id)
            if decision is None:
                return allowed, self.sight.hits[:position]
            if decision and taken[hit.object_id] != self.spec.max_per_object:
                taken[hit.object_id] += 1
                allowed.append(hit)
        return allowed, self.sight.hits

    def has_enough(self) -> bool:
        """Returns whether ``k`` hits are settled."""
        return len(self.settle()[0]) >= self.spec.k

    def finished(self) -> bool:
        """Returns whether there are enough hits, or no more to be had."""
        if self.has_enough():
            return True
        return (self.sight.reached_end or self.at_bound) and not self.undecided()

    @property
    def at_bound(self) -> bool:
        """``True`` if there may be more, and no wider search is allowed."""
        return self.sight.limit >= self.spec.max_candidates and not self.sight.reached_end

    def is_certain(self) -> bool:
        """Returns whether the settled hits are known to be the best of all that there are."""
        return not self._doubts_of_sight(*self.settle())

    def sample(self) -> Sample:
        """Returns the sample of decisions so far, for estimates."""
        return Sample(
            checked=len(self.decisions),
            allowed=sum(self.decisions.values()),
            hits_per_object=self.hits_per_object(),
            found=len(self.settle()[0]),
        )

    def hits_per_object(self) -> float:
        """Returns how many of the hits in sight came from one object, on average."""
        objects = [hit.object_id for hit in self.sight.hits if hit.object_id]
        return len(objects) / max(len(set(objects)), 1)

    def outcome(self) -> Outcome:
        """Returns the settled hits, and a report on how the retrieval came to them."""
        found, passed = self.settle()
        decided = [
            self.decisions[object_id]
            for object_id in self._seen.values()
            if object_id in self.decisions
        ]
        doubts = self.doubts | self._doubts_of_sight(found, passed)
        return tuple(found), RetrievalReport(
            strategy=self.strategy,
            rounds=self.searches,
            round_trips=self.checked.round_trips,
            candidates=len(decided),
            objects=len(self.decisions),
            checks=self.checked.checks,
            cache_hits=self.checked.cache_hits,
            listed=self.listed,
            returned=len(found),
            withheld=decided.count(False),
            unidentified=list(self._seen.values()).count(None),
            foreign=len(self._foreign),
            complete=not doubts,
            doubts=tuple(doubt for doubt in Doubt if doubt in doubts),
            filter_ignored=self.filter_ignored,
            scores=tuple(hit.score for hit in found),
            subject=self.subject,
            search_seconds=self._search_seconds,
            check_seconds=self.checked.seconds,
        )

    def _doubts_of_sight(self, settled: Sequence[Hit], passed: Sequence[Hit]) -> set[Doubt]:
        doubts: set[Doubt] = set()
        sight, is_short = self.sight, len(settled) < self.spec.k
        if is_short and (self.at_bound or self.undecided()):
            doubts.add(Doubt.BOUND)
        elif not (sight.everything or (sight.exact and not is_short)):
            doubts.add(Doubt.APPROXIMATE)
        # A search among some objects passes over what it leaves out.
        among_all = self.strategy == "post_filter"
        own = [hit.object_id for hit in passed if not hit.is_foreign]
        objects = own if among_all else list(self._seen.values())
        if None in objects:
            doubts.add(Doubt.UNIDENTIFIED)
        if not self.checked.kept_denials.isdisjoint(objects if among_all else self.decisions):
            doubts.add(Doubt.KEPT)
        return doubts
