"""Measures embedded vector stores through LangChain, with and without an object filter.

    python -m benchmarks.stores                     # about six minutes on two cores
    python -m benchmarks.stores --sizes 10000       # less than one

Each store is filled in one process and searched in another, so that opening it and its memory are
seen as a user sees them. Qdrant's local mode waits for the disk at every chunk: on a slow one, set
TMPDIR to a folder in memory. Prints the table, and writes it to ``docs/benchmarks/stores.md``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS
from benchmarks.stores.engines import OPEN
from benchmarks.stores.measurement import fill, measure, search
from benchmarks.stores.report import as_markdown

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures embedded vector stores, and writes docs/benchmarks/stores.md."""
    parser = command_parser("stores", main.__doc__, update_docs=False)
    parser.add_argument("--stores", nargs="+", choices=OPEN, default=list(OPEN))
    parser.add_argument("--sizes", nargs="+", type=int, default=[10_000, 100_000])
    parser.add_argument("--step", choices=["fill", "search"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.step:
        step = fill if options.step == "fill" else search
        print(json.dumps(step(options.stores[0], options.sizes[0], options.folder)))
        return
    results = [measure(store, chunks) for chunks in options.sizes for store in options.stores]
    report = as_markdown(results)
    print(report)
    (DOCS / "stores.md").write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
