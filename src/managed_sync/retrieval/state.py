"""What one retrieval has seen and decided so far, and what that amounts to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from managed_sync.access.check_requests import Decision
from managed_sync.retrieval.cost_model import Sample
from managed_sync.retrieval.effects import Check, Outcome, RetrievalSpec, Step, Strategy
from managed_sync.retrieval.ranking import Hit, Scores, distinct
from managed_sync.retrieval.report import Doubt, RetrievalReport

__all__ = ["Progress", "Sight"]


@dataclass(frozen=True, slots=True)
class Sight:
    """What the latest search, or several together, brought.

    Attributes:
        hits: Distinct hits, best first.
        limit: How many hits were asked for.
        reached_end: Whether a wider search would bring no more.
        exact: Whether the order is known to be the exact one.
        everything: Whether these are known to be all hits that there are.
    """

    hits: Sequence[Hit] = ()
    limit: int = 0
    reached_end: bool = False
    exact: bool = False
    everything: bool = False


@dataclass
class Progress:
    """The ranking that is in sight, the decisions on it, and how far the search has come.

    Attributes:
        wanted: What the retrieval is to bring.
        strategy: What the latest search was part of.
        sight: What is in sight.
        decisions: Which of the objects that were checked may be read.
        scores: What the store's scores tell.
        searches: How many there were.
        round_trips: To the permission service.
        listed: How long the list of what may be read is, where one was used.
        filter_ignored: Whether the store brought what its filter rules out.
        doubts: Reasons, found on the way, for which a better result may have been missed.
    """

    wanted: RetrievalSpec
    strategy: Strategy = "post_filter"
    sight: Sight = field(default_factory=Sight)
    decisions: dict[str, bool] = field(default_factory=dict)
    scores: Scores = field(default_factory=Scores)
    searches: int = 0
    round_trips: int = 0
    listed: int | None = None
    filter_ignored: bool = False
    doubts: set[Doubt] = field(default_factory=set)
    _kept_denials: set[str] = field(default_factory=set)
    _seen: dict[Hashable, str | None] = field(default_factory=dict)
    _foreign: set[Hashable] = field(default_factory=set)

    def see(self, sight: Sight) -> None:
        """Takes this to be what is in sight, in place of what was."""
        self.sight = sight
        self._seen |= {hit.identities[0]: hit.object_id for hit in sight.hits if not hit.is_foreign}
        self._foreign |= {hit.identities[0] for hit in sight.hits if hit.is_foreign}

    def see_merged(self, *rankings: Sequence[Hit]) -> None:
        """Adds hits of other rankings to what is in sight."""
        hits = distinct(self.scores.merged(rankings))
        self.see(Sight(hits, self.sight.limit, self.sight.reached_end))

    def check(self, object_ids: tuple[str, ...]) -> Generator[Step, Any, None]:
        """Checks these objects, none of which was checked before."""
        if object_ids:
            decisions: Iterable[Decision] = yield Check(object_ids)
            self.round_trips += 1
            self.decisions |= dict.fromkeys(object_ids, False)
            for decision in decisions:
                # An answer that is not exactly true allows nothing.
                self.decisions[decision.object_id] = decision.allowed is True
                if decision.from_cache and not decision.allowed:
                    self._kept_denials.add(decision.object_id)

    def allowed_in_sight(self) -> list[Hit]:
        """The hits in sight whose objects were allowed, settled or not."""
        return [hit for hit in self.sight.hits if self._is_allowed(hit)]

    def undecided(self) -> tuple[str, ...]:
        """Objects in sight that were not checked, best first."""
        objects = dict.fromkeys(hit.own_object for hit in self.sight.hits if hit.own_object)
        return tuple(object_id for object_id in objects if object_id not in self.decisions)

    def settled(self) -> list[Hit]:
        """The allowed hits that no undecided hit goes before, ``k`` at most."""
        return self._settle()[0]

    def has_enough(self) -> bool:
        """Whether ``k`` hits are settled."""
        return len(self.settled()) >= self.wanted.k

    def finished(self) -> bool:
        """Whether there are enough hits, or no more to be had."""
        if self.has_enough():
            return True
        return (self.sight.reached_end or self.at_bound) and not self.undecided()

    @property
    def at_bound(self) -> bool:
        """Whether there may be more, and no wider search is allowed."""
        return self.sight.limit >= self.wanted.max_candidates and not self.sight.reached_end

    def is_certain(self) -> bool:
        """Whether what is settled is known to be the best of the hits that there are."""
        return not self._doubts_of_sight()

    def sample(self) -> Sample:
        """What was seen, for estimates."""
        found = self.settled()
        return Sample(
            checked=len(self.decisions),
            allowed=sum(self.decisions.values()),
            hits_per_object=self.hits_per_object(),
            found=len(found),
        )

    def hits_per_object(self) -> float:
        """How many of the hits in sight came from one object, on average."""
        objects = [hit.own_object for hit in self.sight.hits if hit.own_object]
        return len(objects) / max(len(set(objects)), 1)

    def outcome(self) -> Outcome:
        """The result, and a report that the driver completes."""
        found = self.settled()
        decided = [
            self.decisions[object_id]
            for object_id in self._seen.values()
            if object_id in self.decisions
        ]
        doubts = self.doubts | self._doubts_of_sight()
        return tuple(found), RetrievalReport(
            strategy=self.strategy,
            rounds=self.searches,
            round_trips=self.round_trips,
            candidates=len(decided),
            objects=len(self.decisions),
            listed=self.listed,
            returned=len(found),
            withheld=decided.count(False),
            unidentified=list(self._seen.values()).count(None),
            foreign=len(self._foreign),
            complete=not doubts,
            doubts=tuple(doubt for doubt in Doubt if doubt in doubts),
            filter_ignored=self.filter_ignored,
            scores=tuple(hit.score for hit in found),
        )

    def _doubts_of_sight(self) -> set[Doubt]:
        doubts: set[Doubt] = set()
        settled, passed = self._settle()
        sight, is_short = self.sight, len(settled) < self.wanted.k
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
        if not self._kept_denials.isdisjoint(objects if among_all else self.decisions):
            doubts.add(Doubt.KEPT)
        return doubts

    def _settle(self) -> tuple[list[Hit], Sequence[Hit]]:
        """The settled hits, and all hits that were passed on the way to the last of them."""
        allowed: list[Hit] = []
        taken: Counter[str] = Counter()
        for place, hit in enumerate(self.sight.hits):
            if len(allowed) == self.wanted.k:
                return allowed, self.sight.hits[:place]
            if hit.own_object is None:
                continue
            decision = self.decisions.get(hit.own_object)
            if decision is None:
                return allowed, self.sight.hits[:place]
            if decision and taken[hit.own_object] != self.wanted.max_per_object:
                taken[hit.own_object] += 1
                allowed.append(hit)
        return allowed, self.sight.hits

    def _is_allowed(self, hit: Hit) -> bool:
        return hit.own_object is not None and self.decisions.get(hit.own_object, False)
