"""Parses the same files with each parser."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from statistics import mean

from benchmarks.parsing.report import Manual, Results, Score
from benchmarks.parsing.structure import Kept, Truth, kept, sample_files
from managed_sync.documents import KreuzbergParser, Parser, UnstructuredParser
from managed_sync.documents.parsing.registry import FileParser

__all__ = ["run"]

PARSERS: dict[str, Callable[[], Parser]] = {
    "unstructured": UnstructuredParser,
    "kreuzberg": KreuzbergParser,
    "default": FileParser,
}
_REPETITIONS = 3
# The slow parser reads a part of the manual, evenly spread over it.
_SLOW_PAGES = 40


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
