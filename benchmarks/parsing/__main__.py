"""The two parsers on the same files: the structure they keep, and how fast they are.

    python -m benchmarks.parsing                                  # the sample company
    python -m benchmarks.parsing --manual html/                   # and a folder of web pages
    python -m benchmarks.parsing --manual html/ --update-docs     # into docs/

The manual is PostgreSQL's, as in Debian's package ``postgresql-doc-15``
(``apt-get download postgresql-doc-15 && dpkg -x postgresql-doc-15*.deb .``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, save, update_page
from benchmarks.parsing.measurement import run
from benchmarks.parsing.report import as_markdown

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Compares the parsers."""
    parser = command_parser("parsing", main.__doc__)
    parser.add_argument("--manual", type=Path, help="a folder of web pages")
    options = parser.parse_args(arguments)
    if options.manual and not any(options.manual.rglob("*.html")):
        parser.error(f"{options.manual} has no .html files in it")
    results = run(options.manual)
    print(as_markdown(results))
    if options.update_docs:
        save(results, DOCS / "parsing.json")
        update_page(DOCS / "parsing.md", as_markdown(results))


if __name__ == "__main__":
    main()
