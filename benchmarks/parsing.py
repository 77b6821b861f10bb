"""The two parsers on the same files: the structure they keep, and how fast they are.

    python -m benchmarks.parsing                                  # the sample company
    python -m benchmarks.parsing --manual html/                   # and a folder of web pages
    python -m benchmarks.parsing --manual html/ --update-docs     # into docs/

The manual is PostgreSQL's, as in Debian's package ``postgresql-doc-15``
(``apt-get download postgresql-doc-15 && dpkg -x postgresql-doc-15*.deb .``).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import mean

from benchmarks.structure import Kept, Truth, kept, sample_files
from benchmarks.tables import update_page
from managed_sync.documents import KreuzbergParser, Parser, UnstructuredParser
from managed_sync.documents.parsing.registry import FileParser

__all__ = ["Manual", "Results", "Score", "as_markdown", "main", "run"]

_DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
PARSERS: dict[str, Callable[[], Parser]] = {
    "unstructured": UnstructuredParser,
    "kreuzberg": KreuzbergParser,
    "default": FileParser,
}
_REPETITIONS = 3
# The slow parser reads a part of the manual, evenly spread over it.
_SLOW_PAGES = 40


@dataclass(frozen=True)
class Score:
    """One parser on all files of one format.

    Attributes:
        files: How many files there are.
        kept: The mean over the files of what was kept.
        files_per_second: On one core.
    """

    format: str
    parser: str
    files: int
    kept: Kept
    files_per_second: float


@dataclass(frozen=True)
class Manual:
    """One parser on the web pages of a manual, on one core."""

    parser: str
    pages: int
    pages_per_second: float
    megabytes_per_second: float


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    scores: tuple[Score, ...]
    manual: tuple[Manual, ...]

    def save(self, file: Path) -> None:
        """Writes the results as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def run(manual: Path | None = None) -> Results:
    """Measures everything.

    Args:
        manual: A folder of web pages, for speed.
    """
    by_format: dict[str, list[tuple[Path, Truth]]] = defaultdict(list)
    for kind, path, truth in sample_files():
        by_format[kind].append((path, truth))
    scores = [
        _score(kind, name, make(), files)
        for kind, files in by_format.items()
        for name, make in PARSERS.items()
    ]
    pages = sorted(manual.rglob("*.html")) if manual else []
    return Results(
        tuple(scores),
        tuple(_manual(name, make(), pages) for name, make in PARSERS.items() if pages),
    )


def as_markdown(results: Results) -> str:
    """The results as tables."""
    names = [one.name for one in fields(Kept)]
    lines = [
        f"| format | files | parser | {' | '.join(names)} | files/s |",
        f"| --- | ---: | --- |{' ---: |' * (len(names) + 1)}",
    ]
    for score in results.scores:
        shares = (getattr(score.kept, name) for name in names)
        cells = ["" if share is None else f"{share:.2f}" for share in shares]
        lines.append(
            f"| {score.format} | {score.files} | {score.parser} | {' | '.join(cells)} | "
            f"{score.files_per_second:,.0f} |"
        )
    if results.manual:
        lines += ["", "| manual | pages | pages/s | MB/s |", "| --- | ---: | ---: | ---: |"]
        lines += [
            f"| {one.parser} | {one.pages:,} | {one.pages_per_second:,.0f} | "
            f"{one.megabytes_per_second:.1f} |"
            for one in results.manual
        ]
    return "\n".join(lines)


def _score(kind: str, name: str, parser: Parser, files: Sequence[tuple[Path, Truth]]) -> Score:
    shares: list[Kept] = []
    for path, truth in files:  # which warms the parser up
        text = parser(
            path.read_bytes(), content_type="application/octet-stream", filename=path.name
        )
        shares.append(kept(text, truth))
    seconds = min(_cpu_seconds(parser, [path for path, _ in files]) for _ in range(_REPETITIONS))
    return Score(kind, name, len(files), _mean(shares), round(len(files) / seconds, 1))


def _manual(name: str, parser: Parser, pages: Sequence[Path]) -> Manual:
    if name == "unstructured":
        pages = pages[:: max(1, len(pages) // _SLOW_PAGES)]
    _cpu_seconds(parser, pages[:3])
    seconds = _cpu_seconds(parser, pages)
    megabytes = sum(page.stat().st_size for page in pages) / 1e6
    return Manual(name, len(pages), round(len(pages) / seconds, 1), round(megabytes / seconds, 2))


def _cpu_seconds(parser: Parser, paths: Sequence[Path]) -> float:
    """The time that parsing takes on all cores together, so that it is that of one core."""
    contents = [(path.name, path.read_bytes()) for path in paths]
    started = time.process_time()
    for name, data in contents:
        parser(data, content_type="application/octet-stream", filename=name)
    return time.process_time() - started


def _mean(shares: Sequence[Kept]) -> Kept:
    means: dict[str, float | None] = {}
    for one in fields(Kept):
        known = [share for kept_ in shares if (share := getattr(kept_, one.name)) is not None]
        means[one.name] = round(mean(known), 3) if known else None
    return Kept(**means)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compares the parsers."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--manual", type=Path, help="a folder of web pages")
    parser.add_argument("--update-docs", action="store_true", help=f"write to {_DOCS.name}/")
    options = parser.parse_args(arguments)
    if options.manual and not any(options.manual.rglob("*.html")):
        parser.error(f"{options.manual} has no .html files in it")
    results = run(options.manual)
    print(as_markdown(results))
    if options.update_docs:
        results.save(_DOCS / "parsing.json")
        update_page(_DOCS / "parsing.md", as_markdown(results))


if __name__ == "__main__":
    main()
