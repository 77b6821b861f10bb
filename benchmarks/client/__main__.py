"""The clients against plain httpx: records per second, memory, and the time of a batch of checks.

    python -m benchmarks.client --records 100000 --rounds 3     # a first look
    python -m benchmarks.client --update-docs                   # in full, into docs/

The service that is asked runs in a process of its own; the ways of asking it take turns.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from benchmarks.client.measurement import memory_growth, run
from benchmarks.client.report import as_markdown
from benchmarks.client.sync_service import PAGE_SIZE
from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, save, update_page

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the clients, next to plain httpx."""
    parser = command_parser("client", main.__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="read for the memory")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.records < 20_000 or options.records % PAGE_SIZE or options.rounds < 1:
        parser.error("--records is a multiple of 100 from 20000 on, and --rounds at least 1")
    if options.memory_of:
        print(memory_growth(options.memory_of, options.records))
        return
    results = run(records=options.records, rounds=options.rounds)
    print(as_markdown(results))
    if options.update_docs:
        save(results, DOCS / "client.json")
        update_page(DOCS / "client.md", as_markdown(results))


if __name__ == "__main__":
    main()
