"""Keeping an index in step: the first run, one without changes, one after 1 % has changed.

python -m benchmarks.indexing --records 2000           # a first look
python -m benchmarks.indexing                          # in full
python -m benchmarks.indexing --update-docs            # in full, into docs/
"""

from __future__ import annotations

from collections.abc import Sequence
from subprocess import CalledProcessError

from rich.console import Console

from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, save, update_page
from benchmarks.indexing.measurement import measure
from benchmarks.indexing.report import as_markdown, beside, load

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures what keeping an index in step costs, next to what the frameworks bring."""
    parser = command_parser("indexing", main.__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument(
        "--peers-up-to", type=int, default=10_000, help="records; 0 leaves the peers out"
    )
    options = parser.parse_args(arguments)
    if min(options.records) < 100:
        parser.error("one record in a hundred changes, so there must be a hundred at least")
    console = Console(stderr=True)
    try:
        results = measure(sorted(options.records), peers_up_to=options.peers_up_to, console=console)
    except (CalledProcessError, ValueError) as error:
        parser.exit(1, f"{error}\n")
    if options.update_docs:
        results = beside(load(DOCS / "indexing.json"), results)
    Console(soft_wrap=True, markup=False, highlight=False).print(as_markdown(results))
    if options.update_docs:
        save(results, DOCS / "indexing.json")
        update_page(DOCS / "indexing.md", as_markdown(results))


if __name__ == "__main__":
    main()
