"""The program of a hybrid retrieval: two rankings, searched side by side and fused.

Each ranking is searched by a retrieval plan of its own, which widens or filters it until its window
is settled. The plans stop before every search, so that both stores are searched at the same time,
and before every check, so that the objects of both are checked together.

Guarantees:

- Every hit was allowed by a check in this retrieval; each object is checked once, and both rankings
  share a list of readable objects.
- The result is called complete only if both rankings are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from managed_sync.effects import Program, perform
from managed_sync.retrieval.decisions import ObjectsToCheck
from managed_sync.retrieval.effects import StoreEffect
from managed_sync.retrieval.hybrid.fusion import Fusion, fused
from managed_sync.retrieval.hybrid.stores import Attempt, UseStores
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.report import Doubt, RetrievalReport
from managed_sync.retrieval.state import Outcome

__all__ = ["fused_retrieval"]


def fused_retrieval(
    by_vectors: Program[Outcome],
    by_keywords: Program[Outcome],
    use_stores: UseStores,
    fusion: Fusion,
    *,
    k: int,
    max_per_object: int | None,
) -> Program[Outcome]:
    """Returns the ``k`` best hits of the fused ranking, and a report.

    Args:
        by_vectors: A retrieval of the fusion's window from the vector store.
        by_keywords: The same from the keyword index; both share their decisions.
        use_stores: Performs effects on several stores at the same time.
        fusion: The settings of the fusion.
        k: The number of passages.
        max_per_object: The largest number of passages of one object.
    """
    vectors, keywords = yield from _side_by_side([by_vectors, by_keywords], use_stores)
    hits = _limited(fused(fusion, vectors[0], keywords[0]), max_per_object)[:k]
    return hits, _joined_report(vectors[1], keywords[1], hits)


def _side_by_side(
    programs: Sequence[Program[Outcome]], use_stores: UseStores
) -> Program[list[Outcome]]:
    """Runs retrievals in steps; searches run at the same time, and checks are made together."""
    steps = [_Steps(program) for program in programs]
    try:
        for each in steps:
            yield from each.run_on(Attempt())
        while waiting := [each for each in steps if each.outcome is None]:
            searching = [each for each in waiting if each.store_effect is not None]
            if searching:
                effects = [each.store_effect for each in searching if each.store_effect]
                attempts = yield from perform(use_stores, effects)
                for each, attempt in zip(searching, attempts, strict=True):
                    yield from each.run_on(attempt)
                continue
            together = tuple(dict.fromkeys(one for each in waiting for one in each.to_check))
            for each in waiting:
                # The first one checks the objects of all; the others find them decided.
                yield from each.run_on(Attempt(together))
                together = ()
    finally:
        for program in programs:
            program.close()
    return [each.outcome for each in steps if each.outcome is not None]


class _Steps:
    """A retrieval that is run until it needs its store or a check.

    Attributes:
        store_effect: The effect on its store that it waits for, if it does.
        to_check: The objects that it needs decisions on, while it waits for these.
        outcome: Its result, at its end.
    """

    def __init__(self, program: Program[Outcome]) -> None:
        self.store_effect: StoreEffect | None = None
        self.to_check: tuple[str, ...] = ()
        self.outcome: Outcome | None = None
        self._program = program

    def run_on(self, attempt: Attempt) -> Program[None]:
        """Runs it on with what it waits for, until it waits for a store or a check, or ends.

        Its other effects are performed here, so that a list which one retrieval asks for is there
        before the next one runs on.
        """
        self.store_effect, self.to_check = None, ()
        while True:
            try:
                effect = attempt.given_to(self._program)
            except StopIteration as end:
                self.outcome = end.value
                return
            if isinstance(effect, StoreEffect):
                self.store_effect = effect
                return
            if isinstance(effect, ObjectsToCheck):
                self.to_check = effect.object_ids
                return
            try:
                attempt = Attempt((yield effect))
            except Exception as error:  # noqa: BLE001 - the retrieval raises it
                attempt = Attempt(failure=error)


def _limited(hits: Iterable[Hit], max_per_object: int | None) -> list[Hit]:
    """Returns the hits with at most so many of one object."""
    taken: Counter[str | None] = Counter()
    kept = []
    for hit in hits:
        if taken[hit.object_id] != max_per_object:
            taken[hit.object_id] += 1
            kept.append(hit)
    return kept


def _joined_report(
    vectors: RetrievalReport, keywords: RetrievalReport, hits: Sequence[Hit]
) -> RetrievalReport:
    # Decisions are shared, so both reports have the same numbers of objects, checks and waits.
    doubts = {*vectors.doubts, *keywords.doubts}
    return replace(
        vectors,
        keyword_strategy=keywords.strategy,
        keyword_rounds=keywords.rounds,
        round_trips=max(vectors.round_trips, keywords.round_trips),
        objects=max(vectors.objects, keywords.objects),
        checks=max(vectors.checks, keywords.checks),
        cache_hits=max(vectors.cache_hits, keywords.cache_hits),
        check_seconds=max(vectors.check_seconds, keywords.check_seconds),
        candidates=vectors.candidates + keywords.candidates,
        withheld=vectors.withheld + keywords.withheld,
        unidentified=vectors.unidentified + keywords.unidentified,
        foreign=vectors.foreign + keywords.foreign,
        listed=vectors.listed if keywords.listed is None else keywords.listed,
        # Both stores were searched at the same time.
        search_seconds=max(vectors.search_seconds, keywords.search_seconds),
        returned=len(hits),
        scores=tuple(hit.score for hit in hits),
        complete=vectors.complete and keywords.complete,
        doubts=tuple(doubt for doubt in Doubt if doubt in doubts),
        filter_ignored=vectors.filter_ignored or keywords.filter_ignored,
    )
