"""The progress of a load, for callers that want to hear or see it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from managed_sync.documents.loading.results import Loaded, LoadFailure

__all__ = ["LoadProgress", "ProgressReporter"]


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """The progress of a load.

    Attributes:
        loaded: Records that became documents.
        failed: Records that could not be read.
        total: All records of the pipeline, folders included, if the API states their number.
    """

    loaded: int = 0
    failed: int = 0
    total: int | None = None

    @property
    def done(self) -> int:
        """The number of records that were loaded or failed."""
        return self.loaded + self.failed


class ProgressReporter:
    """A counter of results that reports the progress to a callback and a progress bar.

    Args:
        total: The number of records, if it is known.
        on_progress: Called after each record.
        show: Whether to draw a bar, on the terminal or in a notebook.
    """

    def __init__(
        self,
        total: int | None,
        *,
        on_progress: Callable[[LoadProgress], None] | None,
        show: bool,
    ) -> None:
        self._progress = LoadProgress(total=total)
        self._on_progress = on_progress
        self._bar = _bar(total) if show else None

    def count(self, loaded: Loaded) -> None:
        """Counts a result."""
        failed = isinstance(loaded, LoadFailure)
        before = self._progress
        self._progress = LoadProgress(
            before.loaded + (not failed), before.failed + failed, before.total
        )
        if self._bar is not None:
            if failed:
                self._bar.set_postfix_str(f"{self._progress.failed} failed", refresh=False)
            self._bar.update()
        if self._on_progress is not None:
            self._on_progress(self._progress)

    def close(self) -> None:
        """Ends the progress bar."""
        if self._bar is not None:
            self._bar.close()


def _bar(total: int | None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a notebook has no widgets, so that text is drawn
        from tqdm.auto import tqdm  # noqa: PLC0415 - imported only for a bar

        return tqdm(total=total, desc="Loading", unit=" records", dynamic_ncols=True)
