"""The loops that carry a retrieval plan out, synchronously and asynchronously."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from managed_sync.permissions.checker import AccessChecker
from managed_sync.permissions.questions import Decision
from managed_sync.permissions.ranking import Hit
from managed_sync.permissions.steps import Check, ListObjects, Outcome, Plan, Search

__all__ = ["acarry_out", "carry_out"]


def carry_out(
    plan: Plan, *, subject: str, checker: AccessChecker, search: Callable[[Search], Sequence[Hit]]
) -> Outcome:
    """Carries a plan out.

    Args:
        plan: The plan.
        subject: For whom to check.
        checker: Answers its checks, and lists.
        search: Answers its searches, best hit first.

    Raises:
        AccessCheckError: Some object has no trustworthy decision; nothing is returned.
        ConfigurationError: The checker knows no project, and chunks of several were found.
    """
    meter, boundary = _Meter(), checker.boundary()
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as stop:
            return meter.complete(stop.value, subject)
        meter.start()
        match step:
            case Search():
                answer = boundary.mark(search(step))
            case Check():
                answer = meter.count(checker.decide(subject, step.object_ids))
            case ListObjects():
                answer = checker.list_objects(subject)
        meter.stop(searching=isinstance(step, Search))


async def acarry_out(
    plan: Plan,
    *,
    subject: str,
    checker: AccessChecker,
    search: Callable[[Search], Awaitable[Sequence[Hit]]],
) -> Outcome:
    """Like ``carry_out``, without blocking the event loop."""
    meter, boundary = _Meter(), checker.boundary()
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as stop:
            return meter.complete(stop.value, subject)
        meter.start()
        match step:
            case Search():
                answer = boundary.mark(await search(step))
            case Check():
                answer = meter.count(await checker.adecide(subject, step.object_ids))
            case ListObjects():
                answer = await checker.alist_objects(subject)
        meter.stop(searching=isinstance(step, Search))


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

    def stop(self, *, searching: bool) -> None:
        seconds = time.perf_counter() - self._started
        if searching:
            self.search_seconds += seconds
        else:
            self.check_seconds += seconds

    def count(self, decisions: Sequence[Decision]) -> set[str]:
        kept = sum(decision.from_cache for decision in decisions)
        self.cache_hits += kept
        self.checks += len(decisions) - kept
        return {decision.object_id for decision in decisions if decision.allowed is True}

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
