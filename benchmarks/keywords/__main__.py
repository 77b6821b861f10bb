"""Indexing with and without a keyword index, its size on disk, and its searches.

    python -m benchmarks.keywords --records 2000    # a first look
    python -m benchmarks.keywords                   # in full

Both ways of indexing take turns in one process, over the texts, the store and the model of
``benchmarks.indexing``: a store that is one SQLite table, so that nothing hides what keywords cost.
Processor time is shown too, which other programs on the computer disturb less.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console

from benchmarks.common.command import command_parser
from benchmarks.common.tables import markdown_table
from benchmarks.indexing.contenders import table_store
from benchmarks.indexing.workload import WORDS, ChunkTable, CountingModel, GeneratedPipeline
from managed_sync import IndexSync, KeywordIndex
from managed_sync.langchain import LangChainTarget

__all__ = ["main"]

_QUESTIONS = 20
_HITS = 30


class Seconds(NamedTuple):
    """The time that something took: by the clock, and of the processor."""

    clock: float
    processor: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures a keyword index."""
    parser = command_parser("keywords", main.__doc__, update_docs=False)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="keywords-") as folder:
        console = Console(soft_wrap=True, markup=False, highlight=False)
        console.print(_measured(Path(folder), options.records, options.rounds))


def _measured(folder: Path, records: int, rounds: int) -> str:
    taken: dict[bool, list[Seconds]] = {False: [], True: []}
    keywords = KeywordIndex(folder / "0-keywords.db")
    for number in range(rounds):
        for has_keywords, seconds in taken.items():
            kept = KeywordIndex(folder / f"{number}-keywords.db") if has_keywords else None
            name = f"{number}-{has_keywords}"
            seconds.append(_timed(partial(_index, folder, name, records, kept)))
    shares = [b.processor / a.processor for a, b in zip(taken[False], taken[True], strict=True)]
    rows = [
        [
            name,
            f"{min(each.clock for each in seconds):.1f}",
            f"{min(each.processor for each in seconds):.1f}",
        ]
        for name, seconds in (("without", taken[False]), ("with", taken[True]))
    ]
    size = sum(file.stat().st_size for file in folder.glob("0-keywords.db*")) / 1e6
    return "\n\n".join(
        [
            f"{records:,} chunks of 150 words.",
            markdown_table(["keyword index", "seconds", "processor seconds"], rows),
            f"With / without, processor time, median of rounds: {statistics.median(shares):.2f}. "
            f"Size of the keyword index: {size:.0f} MB.",
            _searches(keywords),
        ]
    )


def _index(folder: Path, name: str, records: int, keywords: KeywordIndex | None) -> None:
    target = LangChainTarget(table_store(ChunkTable(folder / f"{name}.db"), CountingModel()))
    pipeline = GeneratedPipeline(records, 0)
    sync = IndexSync(pipeline, target, folder / f"{name}-ledger.db", keywords=keywords)
    sync.run(integration="generated", sync_type="files")


def _searches(keywords: KeywordIndex) -> str:
    draw = random.Random(1)
    hits = keywords.search("word001", 10_000)
    objects = sorted({str(hit.metadata["object_id"]) for hit in hits})
    kinds: dict[str, tuple[Callable[[], str], Sequence[str] | None]] = {
        "a file name": (lambda: f"{draw.randrange(10_000):07}.txt", None),
        "3 words": (lambda: " ".join(draw.sample(WORDS, 3)), None),
        "6 words": (lambda: " ".join(draw.sample(WORDS, 6)), None),
        f"6 words, {len(objects):,} objects": (lambda: " ".join(draw.sample(WORDS, 6)), objects),
        "6 words, 10 objects": (lambda: " ".join(draw.sample(WORDS, 6)), objects[:10]),
    }
    rows = []
    for name, (question, among) in kinds.items():
        asked = [question() for _ in range(_QUESTIONS)]
        seconds = [_timed(partial(keywords.search, each, _HITS, among)) for each in asked]
        rows.append(
            [
                name,
                f"{statistics.median(each.clock for each in seconds) * 1000:.1f}",
                f"{statistics.median(each.processor for each in seconds) * 1000:.1f}",
            ]
        )
    return markdown_table(["question", "median ms", "processor ms"], rows)


def _timed(call: Callable[[], object]) -> Seconds:
    clock, processor = time.perf_counter(), time.process_time()
    call()
    return Seconds(time.perf_counter() - clock, time.process_time() - processor)


if __name__ == "__main__":
    main()
