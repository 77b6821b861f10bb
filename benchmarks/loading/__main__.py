"""Loading from the embedded server, next to downloading alone and parsing alone; and its memory.

    python -m benchmarks.loading --manual html/                  # 1,000 files
    python -m benchmarks.loading --manual html/ --update-docs    # into docs/

The manual, whose pages are the prose in the files, is that of ``benchmarks.parsing``. The server
and each measurement run in processes of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, save, update_page
from benchmarks.loading.measurement import ROUNDS, run
from benchmarks.loading.report import as_markdown

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures loading."""
    parser = command_parser("loading", main.__doc__)
    parser.add_argument("--manual", type=Path, required=True, help="a folder of web pages")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    try:
        results = run(options.manual, files=options.files, rounds=options.rounds)
    except ValueError as error:
        parser.error(str(error))
    print(as_markdown(results))
    if options.update_docs:
        save(results, DOCS / "loading.json")
        update_page(DOCS / "loading.md", as_markdown(results))


if __name__ == "__main__":
    main()
