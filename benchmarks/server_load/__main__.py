"""Many clients at once: does the server answer them all, how fast, and is its memory flat?

    python -m benchmarks.server_load --clients 50 --seconds 60                  # a minute
    python -m benchmarks.server_load --clients 50 --seconds 60 --update-docs    # into docs/

The server runs in a process of its own, over the sample company. Every client is a connected user
of its own that asks like a retrieval does: mostly batches of checks, then lists, pages of records
and contents.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, update_page
from benchmarks.server_load.measurement import measure
from benchmarks.server_load.report import as_markdown, summary

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures a server under load; fails if there was an error or its memory grew."""
    parser = command_parser("server_load", main.__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="managed-sync-load-") as folder:
        measured = asyncio.run(measure(options.clients, options.seconds, Path(folder)))
    found = summary(measured, options.clients, options.seconds)
    print(as_markdown(found))
    if options.update_docs:
        (DOCS / "server_load.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        update_page(DOCS / "server_load.md", as_markdown(found))
    if found["errors"] or found["memory_growth"] > 1.1:
        sys.exit("There were errors, or the server's memory grew by more than a tenth.")


if __name__ == "__main__":
    main()
