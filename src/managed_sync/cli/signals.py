"""A clean stop: the first signal asks for it, the second one does not wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

__all__ = ["StopRequest", "stop_on_signal"]


class StopRequest(threading.Event):
    """Set when the process is told to stop.

    Attributes:
        status: What to exit with then.
    """

    status = 0

    def raise_if_set(self) -> None:
        """Ends the command with its status, from a wait that nothing else would end.

        Raises:
            Exit: It was told to stop.
        """
        if self.is_set():
            raise typer.Exit(self.status)


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Turns Ctrl-C and SIGTERM into a request, as long as this holds."""
    stop = StopRequest()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.status = 128 + number
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
