"""The results, and their table."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.common.tables import markdown_table

__all__ = ["Measured", "Results", "as_markdown"]


@dataclass(frozen=True)
class Measured:
    """One way of going through all files.

    Attributes:
        seconds: Wall time.
        peak_megabytes: Resident memory of the process and its workers together, at most.
        documents: Files that became documents.
    """

    files: int
    seconds: float
    peak_megabytes: float
    documents: int


@dataclass(frozen=True)
class Results:
    """One run of the benchmark; each time is the median of its rounds.

    Attributes:
        prose_characters: Of prose, in all files together.
        ratio: Loading to the larger of downloading alone and parsing alone, of the medians.
        memory_ratio: The peak of loading all files to that of loading a quarter of them.
    """

    files: int
    prose_characters: int
    rounds: int
    cores: int
    python: str
    download: Measured
    parse: Measured
    load: Measured
    load_quarter: Measured
    ratio: float
    memory_ratio: float


def as_markdown(results: Results) -> str:
    """The results as a table."""
    ways = {
        "downloading alone": results.download,
        "parsing alone": results.parse,
        "loading": results.load,
        "loading a quarter": results.load_quarter,
    }
    measured = (
        f"{results.files:,} files with {results.prose_characters / 1e6:.1f} million characters of "
        f"prose; median of {results.rounds} round(s) on {results.cores} cores, "
        f"Python {results.python}."
    )
    rows = [
        [
            name,
            f"{one.files:,}",
            f"{one.documents:,}",
            f"{one.seconds:.1f}",
            f"{one.files / one.seconds:.0f}",
            f"{one.peak_megabytes:.0f}",
        ]
        for name, one in ways.items()
    ]
    compared = (
        f"Loading takes **{results.ratio:.2f}** times as long as the slower of the two "
        f"alone, and **{results.memory_ratio:.2f}** times the memory of a quarter of the files."
    )
    header = ["step", "files", "documents", "seconds", "files/s", "peak MB"]
    return f"{measured}\n\n{markdown_table(header, rows)}\n\n{compared}"
