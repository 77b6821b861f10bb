"""A clean stop on signals: the first requests it, the second ends the command at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

__all__ = ["StopRequest", "stop_on_signal"]


class StopRequest(threading.Event):
    """An event that is set when the process must stop.

    Attributes:
        status: The exit status for that case.
    """

    status = 0

    def raise_if_set(self) -> None:
        """Ends the command with its status if it must stop; for waits that nothing else ends.

        Raises:
            Exit: The command must stop.
        """
        if self.is_set():
            raise typer.Exit(self.status)


@contextmanager
def stop_on_signal() -> Iterator[StopRequest]:
    """Turns Ctrl-C and SIGTERM into a request to stop while the block runs."""
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
