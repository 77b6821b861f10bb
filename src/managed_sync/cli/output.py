"""The output of commands: consoles, tables and progress bars."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.segment import Segment
from rich.table import Table

from managed_sync.cli.signals import StopRequest
from managed_sync.client import ManagedSyncClient
from managed_sync.logs import printable
from managed_sync.models import SyncStatus

__all__ = [
    "command_line",
    "output",
    "plain_table",
    "progress_display",
    "progress_output",
    "wait_for_sync",
]


class _SafeConsole(Console):
    """A console that escapes control sequences in names of files and records."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                text = "\n".join(map(printable, segment.text.split("\n")))
                yield Segment(text, segment.style)


output = _SafeConsole(highlight=False, soft_wrap=False)
# Progress is written to the error stream, so that the output can be piped.
progress_output = _SafeConsole(stderr=True)


def plain_table(*columns: str, wraps_first: bool = False) -> Table:
    """Returns a table without lines between columns.

    Either the first column is never wrapped, or it is the only one that is, and the columns stand
    closer to leave more of the line to it.
    """
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    if wraps_first:
        table.padding = 0
    for position, column in enumerate(columns):
        is_first = position == 0
        table.add_column(
            column,
            justify="left" if is_first else "right",
            no_wrap=is_first != wraps_first,
            overflow="fold",
        )
    return table


@contextmanager
def progress_display() -> Iterator[Progress]:
    """Yields a display of progress bars that keeps finished ones on the screen."""
    columns = (
        TextColumn("  {task.description:<28}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=progress_output) as progress:
        yield progress


def wait_for_sync(
    progress: Progress,
    client: ManagedSyncClient,
    integration: str,
    sync_type: str,
    stop: StopRequest | None = None,
) -> SyncStatus:
    """Waits for a pipeline, with a progress bar, until its sync ends or the command must stop.

    Raises:
        SyncFailedError: The sync failed.
    """
    task = progress.add_task(f"{integration} {sync_type}", total=None, unit="records")

    def note(status: SyncStatus) -> None:
        progress.update(task, completed=status.record_count)
        if stop is not None:
            stop.raise_if_set()

    status = client.wait_until_idle(integration, sync_type, on_progress=note)
    progress.update(task, completed=status.record_count, total=status.record_count)
    return status


def command_line(workspace: Path, arguments: str) -> str:
    """Returns a command of this program as it can be typed here, indented."""
    program = "managed-sync"
    if shutil.which(program) is None:
        started = Path(sys.argv[0])
        is_module = started.name == "__main__.py"
        program = "python -m managed_sync" if is_module else _relative(started)
    default = workspace == Path(".managed-sync").absolute()
    option = "" if default else f" --workspace {_relative(workspace)}"
    command, _, rest = arguments.partition(" ")
    return f"  {program} {command}{option} {rest}".rstrip()


def _relative(path: Path) -> str:
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
