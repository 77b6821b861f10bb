"""The loops that carry a retrieval plan out, synchronously and asynchronously."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from managed_sync.permissions.checker import AccessChecker
from managed_sync.permissions.plan import Check, Hit, Outcome, Plan, Search

__all__ = ["acarry_out", "carry_out"]


def carry_out(
    plan: Plan, *, subject: str, checker: AccessChecker, search: Callable[[int], Sequence[Hit]]
) -> Outcome:
    """Carries a plan out.

    Args:
        plan: The plan.
        subject: For whom to check.
        checker: Answers its checks.
        search: Answers its searches: the best ``limit`` hits of the store, best first.

    Raises:
        AccessCheckError: Some object has no trustworthy decision; nothing is returned.
    """
    clock = _Clock()
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as stop:
            return clock.complete(stop.value, subject)
        with clock.timing(step):
            if isinstance(step, Search):
                answer = search(step.limit)
            else:
                answer = checker.allowed(subject, step.object_ids)


async def acarry_out(
    plan: Plan,
    *,
    subject: str,
    checker: AccessChecker,
    search: Callable[[int], Awaitable[Sequence[Hit]]],
) -> Outcome:
    """Like ``carry_out``, without blocking the event loop."""
    clock = _Clock()
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as stop:
            return clock.complete(stop.value, subject)
        with clock.timing(step):
            if isinstance(step, Search):
                answer = await search(step.limit)
            else:
                answer = await checker.aallowed(subject, step.object_ids)


@dataclass(slots=True)
class _Clock:
    """Adds up the seconds spent in each kind of step."""

    seconds: dict[type, float] = field(default_factory=lambda: {Search: 0.0, Check: 0.0})
    _kind: type = Search
    _started: float = 0.0

    def timing(self, step: Search | Check) -> _Clock:
        self._kind = type(step)
        return self

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds[self._kind] += time.perf_counter() - self._started

    def complete(self, outcome: Outcome, subject: str) -> Outcome:
        hits, report = outcome
        return hits, replace(
            report,
            subject=subject,
            search_seconds=self.seconds[Search],
            check_seconds=self.seconds[Check],
        )
