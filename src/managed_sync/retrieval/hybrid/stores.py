"""Searches of several stores at the same time.

Guarantees:

- The first store is searched in the caller's thread, so one that belongs to a thread can be used.
- A search that fails ends no other one, and its error reaches the retrieval that needs it.
- When the searches return, none of them is still running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, TypeAlias

from managed_sync.effects import Effect, Program
from managed_sync.retrieval.effects import StoreEffect

__all__ = ["Attempt", "UseStores", "ause_stores", "use_stores"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """The result of an effect, or its error."""

    result: Any = None
    failure: Exception | None = None

    def given_to(self, program: Program[Any]) -> Effect[Any]:
        """Runs a program on with it, and returns the program's next effect."""
        if self.failure is not None:
            return program.throw(self.failure)
        return program.send(self.result)


UseStores: TypeAlias = Callable[
    [Sequence[StoreEffect]], Sequence[Attempt] | Awaitable[Sequence[Attempt]]
]


def use_stores(effects: Sequence[StoreEffect]) -> list[Attempt]:
    """Performs effects at the same time: the first one here, and the others in threads."""
    first, *others = effects
    if not others:
        return [_attempt(first)]
    with ThreadPoolExecutor(len(others), thread_name_prefix="managed-sync-search") as pool:
        running = [pool.submit(copy_context().run, _attempt, each) for each in others]
        return [_attempt(first), *(each.result() for each in running)]


async def ause_stores(effects: Sequence[StoreEffect]) -> list[Attempt]:
    """Like ``use_stores``, without blocking the event loop."""
    # Many stores search in the event loop's thread, so the others begin before the first one.
    others_first = (*effects[1:], effects[0])
    *others, first = await asyncio.gather(*map(_aattempt, others_first))
    return [first, *others]


def _attempt(effect: StoreEffect) -> Attempt:
    try:
        return Attempt(effect())
    except Exception as error:  # noqa: BLE001 - the retrieval raises it
        return Attempt(failure=error)


async def _aattempt(effect: StoreEffect) -> Attempt:
    try:
        result = effect()
        return Attempt(await result if isinstance(result, Awaitable) else result)
    except Exception as error:  # noqa: BLE001 - the retrieval raises it
        return Attempt(failure=error)
