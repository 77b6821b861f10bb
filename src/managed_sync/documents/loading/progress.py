"""How far a load is: for a callback, and as a bar on the terminal or in a notebook."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from managed_sync.documents.loading.results import Loaded, LoadFailure

__all__ = ["LoadProgress", "ProgressReporter"]


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How far a load is.

    Attributes:
        loaded: Records that became documents.
        failed: Records that could not be read.
        total: Records that there are, folders included, where the API says so.
    """

    loaded: int = 0
    failed: int = 0
    total: int | None = None

    @property
    def done(self) -> int:
        """Records that were dealt with."""
        return self.loaded + self.failed


class ProgressReporter:
    """Counts, and tells whoever wants to know.

    Args:
        total: How many records there are, if that is known.
        on_progress: Called after each record.
        show: Whether to draw a bar.
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

    def counted(self, loaded: Loaded) -> Loaded:
        """The same, after it was counted."""
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
        return loaded

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()


def _bar(total: int | None) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a notebook has no widgets, so that text is drawn
        from tqdm.auto import tqdm  # noqa: PLC0415 - only where a bar is wanted

        return tqdm(total=total, desc="Loading", unit=" records", dynamic_ncols=True)
