"""The progress of a run: bars on a terminal, a line every ten seconds in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from managed_sync.indexing import IndexProgress

__all__ = ["Meter", "index_progress"]

Meter: TypeAlias = "Callable[[IndexProgress], None]"
_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def index_progress(console: Console) -> Iterator[Callable[[str], Meter]]:
    """Yields a function that starts the display of a pipeline, by its name."""
    if not console.is_terminal:
        yield lambda name: _lines(console, name)
        return
    columns = (
        TextColumn("  {task.description:<28}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console) as progress:
        yield lambda name: _bar(progress, name)


def _bar(progress: Progress, name: str) -> Meter:
    task = progress.add_task(name, total=None, detail="")

    def update(now: IndexProgress) -> None:
        if now.phase == "comparing":
            progress.update(task, completed=now.listed, detail="records compared")
            return
        if now.phase == "stopped":
            progress.update(task, detail="stopped")
            return
        # A bar with a total of 0 would never look finished.
        total = now.total or 1
        done = now.done if now.total else 1
        progress.update(task, completed=done, total=total, detail=_details(now))

    return update


def _lines(console: Console, name: str) -> Meter:
    printed_at = time.monotonic()

    def update(now: IndexProgress) -> None:
        nonlocal printed_at
        if (
            now.phase not in {"done", "stopped"}
            and time.monotonic() - printed_at < _SECONDS_BETWEEN_LINES
        ):
            return
        printed_at = time.monotonic()
        if now.phase == "comparing":
            text = f"{now.listed:,} records compared"
        elif now.phase == "stopped" and not now.done:
            text = f"stopped after {now.listed:,} records were compared"
        elif now.phase == "stopped":
            text = f"stopped after {now.done:,} of {now.total:,} changed records, {_details(now)}"
        elif now.phase == "done" and not now.total and not now.deleted:
            text = f"{now.listed:,} records compared, nothing to do"
        else:
            text = f"{now.done:,} of {now.total:,} changed records, {_details(now)}"
            if now.phase == "indexing" and now.done:
                left = (now.total - now.done) * now.seconds / now.done
                text += f", about {left:.0f} s left"
        console.print(f"{name}: {text}", markup=False, soft_wrap=True)

    return update


def _details(now: IndexProgress) -> str:
    rate = now.done / now.seconds if now.seconds else 0
    return f"{now.chunks_embedded:,} chunks, {decimal(now.bytes)}, {rate:,.0f} records/s"
