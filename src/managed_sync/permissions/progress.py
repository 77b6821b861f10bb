"""What one retrieval has seen and decided so far, and what that amounts to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

from managed_sync.permissions.costs import Sample
from managed_sync.permissions.ranking import Hit, direction, distinct, merged
from managed_sync.permissions.report import RetrievalReport
from managed_sync.permissions.steps import Check, Outcome, Step, Strategy, Wanted

__all__ = ["Progress"]


class Progress:
    """The ranking that is in sight, the decisions on it, and how far the search has come.

    Args:
        wanted: What the retrieval is to bring.

    Attributes:
        strategy: What the latest search was part of.
        ranking: The hits in sight that say which object they came from, best first.
        decisions: Which of the objects that were checked may be read.
        limit: How many hits the latest search asked for.
        exhausted: Whether a wider search would bring no more.
        stopped_short: Whether the store holds more, though no wider search would bring it.
        searches: How many there were.
        round_trips: To the permission service.
        listed: How long the list of what may be read is, where one was used.
        filter_ignored: Whether the store brought what its filter rules out.
        doubtful: Whether a better result may have been missed.
        higher_is_better: What the store's scores mean, as far as they showed it.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.strategy: Strategy = "post_filter"
        self.ranking: list[Hit] = []
        self.decisions: dict[str, bool] = {}
        self.limit = 0
        self.exhausted = False
        self.searches = 0
        self.round_trips = 0
        self.listed: int | None = None
        self.stopped_short = False
        self.filter_ignored = False
        self.doubtful = False
        self.higher_is_better: bool | None = None
        self._unidentified = 0
        self._foreign = 0
        self._seen: set[tuple[str, str]] = set()

    def learn_direction(self, found: Sequence[Hit]) -> None:
        """Takes from the scores of a search which of them are better."""
        if self.higher_is_better is None:
            self.higher_is_better = direction(found)

    def merged(self, *rankings: Sequence[Hit]) -> list[Hit]:
        """One ranking out of several."""
        return merged(rankings, higher_is_better=self.higher_is_better)

    def set_ranking(self, found: Sequence[Hit]) -> None:
        """Takes these hits, in place of others, to be what is in sight."""
        own = [hit for hit in found if not hit.is_foreign]
        self._foreign = max(self._foreign, len(found) - len(own))
        hits = distinct(own)
        self._unidentified = max(self._unidentified, sum(not hit.object_id for hit in hits))
        self.ranking = [hit for hit in hits if hit.object_id]
        self._seen |= {
            (hit.object_id or "", hit.chunk_id or str(id(hit.passage))) for hit in self.ranking
        }

    def check(self, object_ids: tuple[str, ...]) -> Generator[Step, Any, None]:
        """Checks these objects, none of which was checked before."""
        if object_ids:
            allowed: set[str] = yield Check(object_ids)
            self.round_trips += 1
            self.decisions |= {object_id: object_id in allowed for object_id in object_ids}

    def allowed_in_sight(self) -> list[Hit]:
        """The hits in sight whose objects were allowed, settled or not."""
        return [hit for hit in self.ranking if self.decisions.get(hit.object_id or "")]

    def undecided(self) -> tuple[str, ...]:
        """Objects in sight that were not checked, best first."""
        objects = dict.fromkeys(hit.object_id for hit in self.ranking if hit.object_id)
        return tuple(object_id for object_id in objects if object_id not in self.decisions)

    def settled(self) -> list[Hit]:
        """The allowed hits that no undecided hit goes before, ``k`` at most."""
        allowed: list[Hit] = []
        taken: Counter[str] = Counter()
        for hit in self.ranking:
            decision = self.decisions.get(hit.object_id or "")
            if decision is None or len(allowed) == self.wanted.k:
                break
            if decision and taken[hit.object_id or ""] != self.wanted.max_per_object:
                taken[hit.object_id or ""] += 1
                allowed.append(hit)
        return allowed

    def finished(self) -> bool:
        """Whether there are enough hits, or no more to be had."""
        if len(self.settled()) >= self.wanted.k:
            return True
        at_the_end = self.exhausted or self.limit >= self.wanted.max_candidates
        return at_the_end and not self.undecided()

    def is_certain(self) -> bool:
        """Whether what is settled is the best there is, and not only what could be seen."""
        if len(self.settled()) >= self.wanted.k:
            return True
        return self.exhausted and not self.stopped_short and not self.undecided()

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
        objects = {hit.object_id for hit in self.ranking}
        return len(self.ranking) / max(len(objects), 1)

    def outcome(self) -> Outcome:
        """The result, and a report that the driver completes."""
        found = self.settled()
        decided = [
            self.decisions[object_id] for object_id, _ in self._seen if object_id in self.decisions
        ]
        return tuple(found), RetrievalReport(
            strategy=self.strategy,
            rounds=self.searches,
            round_trips=self.round_trips,
            candidates=len(decided),
            objects=len(self.decisions),
            listed=self.listed,
            returned=len(found),
            withheld=decided.count(False),
            unidentified=self._unidentified,
            foreign=self._foreign,
            complete=self.is_certain() and not self.doubtful,
            filter_ignored=self.filter_ignored,
        )
