"""Tells a callback how far a run is, often enough and not too often."""

from __future__ import annotations

import time
from collections.abc import Callable

from managed_sync.indexing.report import IndexProgress, Phase
from managed_sync.indexing.writer import Tally
from managed_sync.logs import get_logger

__all__ = ["ProgressMeter"]

_logger = get_logger("managed_sync.indexing")

_SECONDS_BETWEEN = 0.1


class ProgressMeter:
    """Counts what a run does beside its tally, and tells.

    Args:
        tell: Called with the progress; ``None`` for nobody.
    """

    def __init__(self, tally: Tally, tell: Callable[[IndexProgress], None] | None) -> None:
        self.listed = 0
        self.to_do = 0
        self.done = 0
        self._tally = tally
        self._tell = tell
        self._started = time.perf_counter()
        self._told_at = 0.0
        self._phase: Phase | None = None

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.perf_counter() - self._started

    def tell(self, phase: Phase) -> None:
        """Tells how far the run is, unless that was told just now."""
        now = self.seconds
        if self._tell is None:
            return
        if phase == self._phase and now - self._told_at < _SECONDS_BETWEEN:
            return
        self._phase, self._told_at = phase, now
        progress = IndexProgress(
            phase=phase,
            listed=self.listed,
            done=self.done,
            total=self.to_do,
            failed=self._tally.failed,
            deleted=self._tally.deleted,
            chunks_embedded=self._tally.chunks_embedded,
            chunks_reused=self._tally.chunks_reused,
            bytes=self._tally.bytes,
            seconds=now,
        )
        try:
            self._tell(progress)
        except Exception:
            # A run must not end for its display; to stop it there is an event.
            _logger.exception("on_progress failed and is not called any more; the run goes on.")
            self._tell = None
