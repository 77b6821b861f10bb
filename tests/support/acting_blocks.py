"""Ways in which applications enter an ``acting_as`` block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from types import TracebackType
from typing import Any

from managed_sync import acting_as


@contextmanager
def logged_in(user: str) -> Iterator[None]:
    """Enters the block in a generator."""
    with acting_as(user):
        yield


@contextmanager
def logged_in_by_stack(user: str) -> Iterator[None]:
    """Enters the generator's block on a stack."""
    with ExitStack() as stack:
        stack.enter_context(logged_in(user))
        yield


class Session:
    """A context manager of an application's own, which enters the block for its ``with``."""

    def __init__(self, user: str) -> None:
        self._block = acting_as(user)

    def __enter__(self) -> None:
        self._block.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._block.__exit__(kind, error, traceback)


BLOCKS: list[Callable[[str], AbstractContextManager[Any]]] = [
    acting_as,
    logged_in,
    logged_in_by_stack,
    Session,
]
