"""The results, and the page they make."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from importlib.metadata import version

from benchmarks.common.tables import markdown_table

__all__ = ["CASES", "CHUNKS_PER_OBJECT", "DIMENSIONS", "Measured", "as_markdown"]

DIMENSIONS = 256
CHUNKS_PER_OBJECT = 10
K = 10
WIDE_K = 1000
PACKAGES = ["qdrant-client", "chromadb", "lancedb"]
CASES = [
    ("all", K, 0),
    (f"all, k = {WIDE_K:,}", WIDE_K, 0),
    ("1 object", K, 1),
    ("100 objects", K, 100),
    ("1,000 objects", K, 1000),
    ("100 far", K, 100),
]


@dataclass
class Measured:
    """One store at one size."""

    store: str
    chunks: int
    insert_seconds: float = 0.0
    disk_mb: float = 0.0
    open_seconds: float = 0.0
    memory_mb: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    recall: dict[str, float] = field(default_factory=dict)


def as_markdown(results: list[Measured]) -> str:
    """The results as a page."""
    names = [name for name, _, _ in CASES]
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    lines = [
        "# Embedded vector stores",
        "",
        f"Written by `python -m benchmarks.stores`; {os.cpu_count()} cores; {versions}; data in "
        f"`{tempfile.gettempdir()}`. Vectors of "
        f"{DIMENSIONS} dimensions, {CHUNKS_PER_OBJECT} chunks an object, through LangChain.",
        "*Open* includes the first search. *Memory* is the most that a process takes which only "
        "opens and searches. Each cell of the second table is seconds a search, and the share "
        f"found of the {K} best chunks by exact cosine (of the {WIDE_K:,} best where k = "
        f"{WIDE_K:,}); *far* are the objects that lie farthest from the question.",
    ]
    costs = [
        [
            m.store,
            f"{m.chunks:,}",
            f"{m.insert_seconds:.1f}",
            f"{m.disk_mb:.0f}",
            f"{m.open_seconds:.2f}",
            f"{m.memory_mb:.0f}",
        ]
        for m in results
    ]
    searches = [
        [
            m.store,
            f"{m.chunks:,}",
            *(f"{m.seconds[name]:.3f} / {m.recall[name]:.2f}" for name in names),
        ]
        for m in results
    ]
    header = ["store", "chunks", "insert, s", "disk, MB", "open, s", "memory, MB"]
    tables = [
        markdown_table(header, costs),
        markdown_table(["store", "chunks", *names], searches),
    ]
    return "\n".join(lines) + "\n\n" + "\n\n".join(tables) + "\n"
