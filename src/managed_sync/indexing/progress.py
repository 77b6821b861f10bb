"""Counts what a run does, and reports it to a callback, often enough and not too often."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from managed_sync.indexing.report import IndexProgress, Phase
from managed_sync.logs import get_logger

__all__ = ["ProgressMeter", "Tally"]

_logger = get_logger("managed_sync.indexing")

_SECONDS_BETWEEN = 0.1


@dataclass(slots=True)
class Tally:
    """The counts of what a run has done so far."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: int = 0
    skipped: int = 0
    chunks_embedded: int = 0
    chunks_reused: int = 0
    bytes: int = 0


@dataclass(slots=True)
class ProgressMeter:
    """Counts the listed records and those to work on, and reports the progress.

    Args:
        callback: Called with the progress; ``None`` for no reports.
    """

    callback: Callable[[IndexProgress], None] | None = None
    tally: Tally = field(default_factory=Tally)
    listed: int = 0
    to_do: int = 0
    done: int = 0
    started: float = field(default_factory=time.perf_counter)
    _reported_at: float = 0.0
    _phase: Phase | None = None

    @property
    def seconds(self) -> float:
        """The seconds since the run began."""
        return time.perf_counter() - self.started

    def report(self, phase: Phase) -> None:
        """Reports the progress, unless that was done just now."""
        if self.callback is None:
            return
        now = self.seconds
        if phase == self._phase and now - self._reported_at < _SECONDS_BETWEEN:
            return
        self._phase, self._reported_at = phase, now
        progress = IndexProgress(
            phase=phase,
            listed=self.listed,
            done=self.done,
            total=self.to_do,
            failed=self.tally.failed,
            deleted=self.tally.deleted,
            chunks_embedded=self.tally.chunks_embedded,
            chunks_reused=self.tally.chunks_reused,
            bytes=self.tally.bytes,
            seconds=now,
        )
        try:
            self.callback(progress)
        except Exception:
            # A run must not end because of its display; an event stops it.
            _logger.exception("on_progress failed and is not called any more; the run goes on.")
            self.callback = None
