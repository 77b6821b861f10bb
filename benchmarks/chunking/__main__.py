"""Chunking: throughput in proportion to encoding alone, exactness, beside other packages.

    python -m benchmarks.chunking                   # in full: some minutes
    python -m benchmarks.chunking --rounds 1        # a first look
    python -m benchmarks.chunking --update-docs     # in full, into docs/

The prose is made from two of Debian's documentation packages, which apt-get downloads once; the
peers are installed into an environment of their own; ``--without-peers`` leaves them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from subprocess import CalledProcessError

from rich.console import Console

from benchmarks.chunking.measurement import run
from benchmarks.chunking.prose import prose_file
from benchmarks.chunking.report import as_markdown, draw
from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, save, update_page

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures chunking, next to other packages."""
    parser = command_parser("chunking", main.__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args(arguments)
    if not 0 <= options.overlap < options.size or options.rounds < 1:
        parser.error("size must be more than overlap, and rounds at least 1")
    try:
        results = run(
            prose_file(),
            size=options.size,
            overlap=options.overlap,
            rounds=options.rounds,
            with_peers=not options.without_peers,
        )
    except (CalledProcessError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\nIt needs apt-get once for the prose; what failed is above.\n")
    Console(soft_wrap=True, markup=False, highlight=False).print(as_markdown(results))
    if options.update_docs:
        save(results, DOCS / "chunking.json")
        update_page(DOCS / "chunking.md", as_markdown(results))
        draw(results, DOCS / "chunking.svg")


if __name__ == "__main__":
    main()
