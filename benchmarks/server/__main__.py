"""The permission graph in SQLite, next to SpiceDB in process, as both grow.

python -m benchmarks.server --relationships 10000                    # a first look
python -m benchmarks.server --relationships 1000000 --update-docs    # one size, into docs/

What was measured at other sizes stays in docs/, so that each size can have a call of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, save, update_page
from benchmarks.server.measurement import SPICEDB_MINUTES, run
from benchmarks.server.report import SPICEDB, Results, as_markdown

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the permission graph in SQLite, next to SpiceDB."""
    parser = command_parser("server", main.__doc__)
    parser.add_argument(
        "--relationships", type=int, nargs="+", default=[10_000, 100_000, 1_000_000]
    )
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--spicedb-minutes",
        type=float,
        default=SPICEDB_MINUTES,
        help=f"how long {SPICEDB} may take at one size (default: {SPICEDB_MINUTES:g})",
    )
    options = parser.parse_args(arguments)
    try:
        results = run(
            relationships=options.relationships,
            repetitions=options.repetitions,
            seed=options.seed,
            spicedb_minutes=options.spicedb_minutes,
        )
    except ValueError as error:
        parser.error(str(error))
    markdown = as_markdown(results)
    Console(soft_wrap=True, markup=False, highlight=False).print(markdown)
    if options.update_docs:
        file = DOCS / "server.json"
        if file.exists():
            results = results.joined_to(Results.load(file))
        save(results, file)
        update_page(DOCS / "server.md", as_markdown(results))


if __name__ == "__main__":
    main()
