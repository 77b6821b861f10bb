"""The parsers on the same files: what they keep, and how fast they are.

    python -m benchmarks.parsing                                  # the sample company
    python -m benchmarks.parsing --manual html/                   # and a folder of web pages
    python -m benchmarks.parsing --manual html/ --update-docs     # into docs/
    python -m benchmarks.parsing --corpus folder/ --format docx --limit 100 --worst 10

The manual is PostgreSQL's, as in Debian's package ``postgresql-doc-15``
(``apt-get download postgresql-doc-15 && dpkg -x postgresql-doc-15*.deb .``). A corpus is any folder
of files; ``docs/benchmarks/parsing.md`` names public collections of them.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, save, update_page
from benchmarks.parsing.corpus.candidates import available
from benchmarks.parsing.corpus.record import add_scores
from benchmarks.parsing.corpus.report import corpus_tables, worst_table
from benchmarks.parsing.corpus.runs import run_corpus
from benchmarks.parsing.corpus.scores import scores, worst_files
from benchmarks.parsing.measurement import run
from benchmarks.parsing.report import as_markdown
from benchmarks.parsing.truth.reading import FORMATS, missing_tools

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Compares the parsers, on the sample company or on the files of a folder."""
    parser = command_parser("parsing", main.__doc__)
    parser.add_argument("--manual", type=Path, help="a folder of web pages")
    corpus = parser.add_argument_group("real files")
    corpus.add_argument("--corpus", type=Path, help="a folder of files")
    corpus.add_argument("--format", action="append", choices=FORMATS, help="only this format")
    corpus.add_argument("--parser", action="append", choices=available(), help="only this parser")
    corpus.add_argument("--limit", type=int, help="at most so many files of each format")
    corpus.add_argument("--timeout", type=float, default=60.0, help="seconds for each file")
    corpus.add_argument("--worst", type=int, default=0, help="list so many files that lose most")
    corpus.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    if options.corpus:
        _measure_corpus(parser, options)
        return
    if options.manual and not any(options.manual.rglob("*.html")):
        parser.error(f"{options.manual} has no .html files in it")
    results = run(options.manual)
    print(as_markdown(results))
    if options.update_docs:
        save(results, DOCS / "parsing.json")
        update_page(DOCS / "parsing.md", as_markdown(results))


def _measure_corpus(parser: ArgumentParser, options: Namespace) -> None:
    formats = options.format or FORMATS
    if not options.corpus.is_dir():
        parser.error(f"{options.corpus} is not a folder")
    if missing := missing_tools(set(formats)):
        parser.error(missing)
    results, apart = run_corpus(
        options.corpus,
        formats=formats,
        parsers=options.parser or available(),
        limit=options.limit,
        seconds=options.timeout,
    )
    found = scores(results, apart)
    if options.update_docs:
        kept = add_scores(DOCS / "parsing_corpus.json", found)
        update_page(DOCS / "parsing.md", corpus_tables(kept), section="real files")
    worst = worst_files(results, options.worst)
    if options.json:
        figures = {
            "scores": [asdict(one) for one in found],
            "apart": [asdict(one) for one in apart],
            "worst": [asdict(one) for one in worst],
        }
        print(json.dumps(figures, indent=1))
        return
    print(corpus_tables(found))
    if worst:
        print()
        print(worst_table(worst))


if __name__ == "__main__":
    main()
