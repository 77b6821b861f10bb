"""The program of a hybrid retrieval: two rankings, searched side by side and fused.

Each ranking is searched by a retrieval plan of its own, which widens or filters it until its window
is settled. The plans stop before every check, so that the objects of both are checked together.

Guarantees:

- Every hit was allowed by a check in this retrieval; each object is checked once, and both rankings
  share a list of readable objects.
- The result is called complete only if both rankings are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from managed_sync.effects import Program
from managed_sync.retrieval.decisions import ObjectsToCheck
from managed_sync.retrieval.hybrid.fusion import Fusion, fused
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.report import Doubt, RetrievalReport
from managed_sync.retrieval.state import Outcome

__all__ = ["fused_retrieval"]


def fused_retrieval(
    by_vectors: Program[Outcome],
    by_keywords: Program[Outcome],
    fusion: Fusion,
    k: int,
    max_per_object: int | None,
) -> Program[Outcome]:
    """Returns the ``k`` best hits of the fused ranking, and a report.

    Args:
        by_vectors: A retrieval of the fusion's window from the vector store.
        by_keywords: The same from the keyword index; both share their decisions.
        fusion: The settings of the fusion.
        k: The number of passages.
        max_per_object: The largest number of passages of one object.
    """
    vectors, keywords = yield from _side_by_side([by_vectors, by_keywords])
    hits = _limited(fused(fusion, vectors[0], keywords[0]), max_per_object)[:k]
    return hits, _joined_report(vectors[1], keywords[1], hits)


def _side_by_side(programs: Sequence[Program[Outcome]]) -> Program[list[Outcome]]:
    """Runs retrievals in steps from check to check, each of which is made for all together."""
    steps = [_Steps(program) for program in programs]
    try:
        for each in steps:
            yield from each.run_to_check(None)
        while waiting := [each for each in steps if each.outcome is None]:
            together = tuple(dict.fromkeys(one for each in waiting for one in each.to_check))
            for each in waiting:
                # The first one checks the objects of all; the others find them decided.
                yield from each.run_to_check(together)
                together = ()
    finally:
        for program in programs:
            program.close()
    return [each.outcome for each in steps if each.outcome is not None]


class _Steps:
    """A retrieval that is run from check to check.

    Attributes:
        to_check: The objects that it needs decisions on, while it waits.
        outcome: Its result, at its end.
    """

    def __init__(self, program: Program[Outcome]) -> None:
        self.to_check: tuple[str, ...] = ()
        self.outcome: Outcome | None = None
        self._program = program

    def run_to_check(self, result: Any) -> Program[None]:
        """Runs it on with the result that it waits for, until its next check or its end."""
        failure: Exception | None = None
        while True:
            try:
                effect = self._program.throw(failure) if failure else self._program.send(result)
            except StopIteration as end:
                self.outcome = end.value
                return
            if isinstance(effect, ObjectsToCheck):
                self.to_check = effect.object_ids
                return
            result = failure = None
            try:
                result = yield effect
            except Exception as error:  # noqa: BLE001 - the retrieval raises it
                failure = error


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
        search_seconds=vectors.search_seconds + keywords.search_seconds,
        returned=len(hits),
        scores=tuple(hit.score for hit in hits),
        complete=vectors.complete and keywords.complete,
        doubts=tuple(doubt for doubt in Doubt if doubt in doubts),
        filter_ignored=vectors.filter_ignored or keywords.filter_ignored,
    )
