"""Commands run in this process, since starting one takes longer than what it does."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

from typer.testing import CliRunner

from managed_sync.cli.app import app
from managed_sync.cli.output import output
from managed_sync.errors import ManagedSyncError


class Said(NamedTuple):
    """The exit status and the output of a command."""

    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: str, columns: int = 200) -> Said:
    """Runs a command in a folder, on a terminal of this width without colors."""
    environment = {"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm"}
    # A process that was started with COLUMNS keeps that width.
    before, output.width = output.width, columns
    try:
        with chdir(folder):
            result = CliRunner().invoke(app, arguments, env=environment)
    finally:
        output.width = before
    if isinstance(result.exception, ManagedSyncError):
        return Said(1, result.stdout, str(result.exception))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Said(result.exit_code, result.stdout, result.stderr)
