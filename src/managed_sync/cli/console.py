"""What commands print with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from managed_sync.client import ManagedSyncClient
from managed_sync.models import SyncStatus

__all__ = ["counting", "output", "progress_display", "wait_for_sync"]

output = Console(highlight=False, soft_wrap=False)
# Progress goes to the error stream, so that the output can be piped.
_progress_output = Console(stderr=True)


@contextmanager
def progress_display() -> Iterator[Progress]:
    """A display of progress bars that leaves finished ones standing."""
    columns = (
        TextColumn("  {task.description:<28}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_progress_output) as progress:
        yield progress


def counting(progress: Progress, description: str, unit: str) -> Callable[[int, int], None]:
    """A new progress bar, as a function of how much is done and how much there is to do."""
    task = progress.add_task(description, total=None, unit=unit)

    def update(done: int, total: int) -> None:
        # A bar without anything to do would never look finished.
        progress.update(task, completed=done if total else 1, total=total or 1)

    return update


def wait_for_sync(
    progress: Progress, client: ManagedSyncClient, integration: str, sync_type: str
) -> SyncStatus:
    """Waits for a pipeline behind a progress bar.

    Raises:
        SyncFailedError: The sync failed.
    """
    task = progress.add_task(f"{integration} {sync_type}", total=None, unit="records")
    status = client.wait_until_idle(
        integration,
        sync_type,
        on_progress=lambda status: progress.update(task, completed=status.record_count),
    )
    progress.update(task, completed=status.record_count, total=status.record_count)
    return status
