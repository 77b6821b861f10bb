"""Runs programs: logic that names its effects and leaves them to a synchronous or asynchronous run.

A program is a generator. Where it needs something done it writes
``result = yield from perform(function, *args)`` and goes on with the result, or with the error that
the function raised. The function may be an ordinary one or a coroutine function: ``run`` calls it,
``arun`` awaits what it returns. The program is the same for both, so a synchronous and an
asynchronous client cannot differ in a decision; see ``docs/decisions/0003-client-operations.md``.

Guarantees:

- A program that does not reach its end is closed: its ``with`` and ``finally`` blocks are left.
- The error of an effect is raised in the program, at the line that performs it, and nowhere else.
- Cancellation, Ctrl-C and every other error that is no ``Exception`` end a program; it cannot
  swallow them.
- Programs that run at the same time run in copies of the caller's context.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from functools import partial
from threading import Event
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeAlias, TypeVar, overload

__all__ = [
    "AsyncBackground",
    "Background",
    "Effect",
    "Program",
    "agather",
    "arun",
    "awaited",
    "gather",
    "in_thread",
    "perform",
    "run",
]

P = ParamSpec("P")
R = TypeVar("R")

Effect: TypeAlias = Callable[[], R | Awaitable[R]]
Program: TypeAlias = Generator[Effect[Any], Any, R]


@overload
def perform(
    function: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
) -> Program[R]: ...


@overload
def perform(
    function: Callable[P, R | Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
) -> Program[R]: ...


def perform(
    function: Callable[P, R | Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
) -> Program[R]:
    """Asks the runner of a program to call a function; use it with ``yield from``.

    Examples:
        >>> def program():
        ...     number = yield from perform(int, "20")
        ...     return number + 1
        >>> run(program())
        21
    """
    # The only type that no checker can verify: the runner sends the function's own result.
    result: R = yield partial(function, *args, **kwargs)
    return result


def run(program: Program[R], *, abandoned: Event | None = None) -> R:
    """Runs a program to its end and returns its result.

    Args:
        program: A program whose effects are ordinary functions.
        abandoned: Once it is set, no further effect is begun.

    Raises:
        CancelledError: The program was abandoned.
        Exception: The program raised it.
    """
    result: Any = None
    failure: Exception | None = None
    try:
        while abandoned is None or not abandoned.is_set():
            try:
                effect = program.send(result) if failure is None else program.throw(failure)
            except StopIteration as end:
                returned: R = end.value
                return returned
            result = failure = None
            try:
                result = effect()
            except Exception as error:  # noqa: BLE001 - the program raises it
                failure = error
        raise CancelledError
    finally:
        # An error and a frame that refer to each other would live until a garbage collection.
        failure = None
        program.close()


async def arun(program: Program[R]) -> R:
    """Runs a program to its end, awaiting its effects, and returns its result.

    Raises:
        Exception: The program raised it.
    """
    result: Any = None
    failure: Exception | None = None
    try:
        while True:
            try:
                effect = program.send(result) if failure is None else program.throw(failure)
            except StopIteration as end:
                returned: R = end.value
                return returned
            result = failure = None
            try:
                result = effect()
                if isinstance(result, Awaitable):
                    result = await result
            except Exception as error:  # noqa: BLE001 - the program raises it
                failure = error
    finally:
        failure = None
        program.close()


# The event loop that waits for the code of a thread.
_waiting_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar(
    "managed_sync_waiting_loop", default=None
)


async def in_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a function in a thread, in which ``awaited`` uses this event loop."""
    token = _waiting_loop.set(asyncio.get_running_loop())
    try:
        return await asyncio.to_thread(function, *args, **kwargs)
    finally:
        _waiting_loop.reset(token)


def awaited(coroutine: Coroutine[Any, Any, R]) -> R:
    """Returns the result of a coroutine, in code that is not asynchronous.

    A client's connections belong to one event loop. So in a thread that a loop waits for, the
    coroutine runs in that loop, and otherwise in the loop of this thread.
    """
    loop = _waiting_loop.get()
    if loop is None or asyncio._get_running_loop() is not None:  # noqa: SLF001 - documented for Python 3.7 and later
        return asyncio.get_event_loop().run_until_complete(coroutine)
    return asyncio.run_coroutine_threadsafe(coroutine, loop).result()


def gather(programs: Sequence[Program[R]], *, max_threads: int) -> list[R]:
    """Runs programs at the same time, in threads, and returns their results in order.

    Raises:
        Exception: The first error in their order; the programs still running are abandoned.
    """
    if len(programs) <= 1:
        return [run(program) for program in programs]
    abandoned = Event()
    pool = ThreadPoolExecutor(
        min(len(programs), max_threads), thread_name_prefix="managed-sync-client"
    )
    try:
        running = [
            pool.submit(copy_context().run, partial(run, program, abandoned=abandoned))
            for program in programs
        ]
        return [each.result() for each in running]
    finally:
        # Nothing waits for programs that are still running: each ends at its next effect.
        abandoned.set()
        pool.shutdown(wait=False, cancel_futures=True)


async def agather(programs: Sequence[Program[R]]) -> list[R]:
    """Runs programs at the same time, in tasks, and returns their results in order.

    Raises:
        Exception: The first error in their order; the programs still running are cancelled.
    """
    running = [asyncio.create_task(arun(program)) for program in programs]
    try:
        return [await each for each in running]
    finally:
        await _end(running)


class Background:
    """A thread that runs programs concurrently with its caller, one after another."""

    def __init__(self) -> None:
        self._abandoned = Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="managed-sync-pages")

    def begin(self, program: Program[R]) -> Effect[R]:
        """Starts a program, and returns the effect that waits for its result."""
        work = partial(run, program, abandoned=self._abandoned)
        return self._pool.submit(copy_context().run, work).result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._abandoned.set()
        self._pool.shutdown(wait=False, cancel_futures=True)


class AsyncBackground:
    """Tasks that run programs concurrently with their caller, and end with it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def begin(self, program: Program[R]) -> Effect[R]:
        """Starts a program, and returns the effect that waits for its result."""
        task = asyncio.create_task(arun(program))
        self._running.add(task)
        task.add_done_callback(self._end_task)
        return lambda: task

    def _end_task(self, task: asyncio.Task[Any]) -> None:
        # The result of a task that has ended may be large.
        self._running.discard(task)
        if not task.cancelled():
            # asyncio logs errors that were never retrieved, with their text.
            task.exception()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await _end(list(self._running))


async def _end(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancels tasks whose results are no longer needed, and waits until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
