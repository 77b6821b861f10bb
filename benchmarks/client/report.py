"""The results, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.client.sync_service import PAGE_SIZE
from benchmarks.common.tables import markdown_table

__all__ = ["PAGES_A_ROUND", "Kind", "Results", "as_markdown"]

PAGES_A_ROUND = 200


@dataclass(frozen=True)
class Kind:
    """The measurements of one client.

    Attributes:
        client: Its name.
        plain_records_per_second: With httpx and ``json.loads`` alone, in the best round, by the
            clock.
        records_per_second: With the client, which validates each record, in its best round.
        ratio: Of the two.
        check_ms: A batch of 100 checks with httpx and ``json.loads`` alone: the median.
        own_check_ms: What the client adds to that.
        memory_mb: How much the most memory grew while all records were read.
    """

    client: str
    plain_records_per_second: float
    records_per_second: float
    ratio: float
    check_ms: float
    own_check_ms: float
    memory_mb: float


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    records: int
    rounds: int
    cores: int
    python: str
    versions: Mapping[str, str]
    kinds: Sequence[Kind]


def as_markdown(results: Results) -> str:
    """The table, with a line on what was measured."""
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    measured = (
        f"{results.rounds} rounds of {PAGES_A_ROUND * PAGE_SIZE:,} records in pages of "
        f"{PAGE_SIZE}, and {results.records:,} records for the memory; {results.cores} cores, "
        f"Python {results.python}, {versions}."
    )
    header = [
        "client",
        "records per second, plain httpx",
        "records per second",
        "ratio",
        "100 checks, plain httpx (ms)",
        "added by the client (ms)",
        "memory (MB)",
    ]
    rows = [
        [
            kind.client,
            f"{kind.plain_records_per_second:,}",
            f"{kind.records_per_second:,}",
            f"{kind.ratio:.2f}",
            f"{kind.check_ms:.2f}",
            f"{kind.own_check_ms:.2f}",
            f"{kind.memory_mb:.1f}",
        ]
        for kind in results.kinds
    ]
    return f"{measured}\n\n{markdown_table(header, rows)}"
