"""The loops that carry a retrieval plan out, synchronously and asynchronously."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from managed_sync.access.check_requests import Decision
from managed_sync.access.checker import AccessChecker
from managed_sync.errors import AccessCheckError
from managed_sync.retrieval.effects import (
    Check,
    Inspect,
    ListObjects,
    Outcome,
    Plan,
    Reach,
    Search,
    Step,
)
from managed_sync.retrieval.ranking import Hit

__all__ = ["Searcher", "acarry_out", "carry_out"]


class Searcher(Protocol):
    """Searches a store for one question."""

    def search(self, step: Search) -> Sequence[Hit] | None:
        """Returns the hits of one search, best first; ``None`` if it cannot be confined so."""

    async def asearch(self, step: Search) -> Sequence[Hit] | None:
        """Like ``search``, without blocking the event loop."""

    def reach(self, step: Inspect) -> Reach:
        """Returns how far searches reach; it may wait for the store."""


def carry_out(plan: Plan, *, subject: str, checker: AccessChecker, searcher: Searcher) -> Outcome:
    """Carries a plan out.

    Args:
        plan: The plan.
        subject: For whom to check.
        checker: Answers its checks, and lists.
        searcher: Answers its searches.

    Raises:
        AccessCheckError: Some object has no trustworthy decision; nothing is returned.
        ConfigurationError: The checker knows no project, and chunks of several were found.
    """
    meter, boundary = _Meter(), checker.boundary()
    answer: Any = None
    failure: AccessCheckError | None = None
    while True:
        try:
            step = plan.send(answer) if failure is None else plan.throw(failure)
        except StopIteration as stop:
            return meter.complete(stop.value, subject)
        answer, failure = None, None
        meter.start()
        try:
            match step:
                case Search():
                    found = searcher.search(step)
                    answer = None if found is None else boundary.mark(found)
                case Inspect():
                    answer = searcher.reach(step)
                case Check():
                    answer = meter.count(checker.decide(subject, step.object_ids))
                case ListObjects():
                    answer = checker.list_objects(subject)
        except AccessCheckError as error:
            failure = error
        meter.stop(step)


async def acarry_out(
    plan: Plan, *, subject: str, checker: AccessChecker, searcher: Searcher
) -> Outcome:
    """Like ``carry_out``, without blocking the event loop."""
    meter, boundary = _Meter(), checker.boundary()
    answer: Any = None
    failure: AccessCheckError | None = None
    while True:
        try:
            step = plan.send(answer) if failure is None else plan.throw(failure)
        except StopIteration as stop:
            return meter.complete(stop.value, subject)
        answer, failure = None, None
        meter.start()
        try:
            match step:
                case Search():
                    found = await searcher.asearch(step)
                    answer = None if found is None else boundary.mark(found)
                case Inspect():
                    answer = await asyncio.to_thread(searcher.reach, step)
                case Check():
                    answer = meter.count(await checker.adecide(subject, step.object_ids))
                case ListObjects():
                    answer = await checker.alist_objects(subject)
        except AccessCheckError as error:
            failure = error
        meter.stop(step)


@dataclass(slots=True)
class _Meter:
    """Adds up what the steps took, in seconds and in checks."""

    checks: int = 0
    cache_hits: int = 0
    search_seconds: float = 0.0
    check_seconds: float = 0.0
    _started: float = 0.0

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self, step: Step) -> None:
        seconds = time.perf_counter() - self._started
        if isinstance(step, Search | Inspect):
            self.search_seconds += seconds
        else:
            self.check_seconds += seconds

    def count(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        kept = sum(decision.from_cache for decision in decisions)
        self.cache_hits += kept
        self.checks += len(decisions) - kept
        return decisions

    def complete(self, outcome: Outcome, subject: str) -> Outcome:
        hits, report = outcome
        return hits, replace(
            report,
            subject=subject,
            checks=self.checks,
            cache_hits=self.cache_hits,
            search_seconds=self.search_seconds,
            check_seconds=self.check_seconds,
        )
