"""The command ``managed-sync``."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from managed_sync.errors import ManagedSyncError, MissingExtraError
from managed_sync.logs import printable

__all__ = ["main"]


def main() -> None:
    """Runs the command line; an error becomes a message and an exit status, never a traceback."""
    try:
        if not all(find_spec(name) for name in ("typer", "rich")):
            raise MissingExtraError("The command line", "cli")
        from managed_sync.cli.app import app

        app()
    except ManagedSyncError as error:
        lines = f"Error: {error}".split("\n")
        sys.stderr.write("\n  ".join(map(printable, lines)) + "\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("Stopped.\n")
        sys.exit(130)
