"""Chunking: throughput in proportion to encoding alone, exactness, beside other packages.

    python -m benchmarks.chunking                   # in full: some minutes
    python -m benchmarks.chunking --rounds 1        # a first look
    python -m benchmarks.chunking --update-docs     # in full, into docs/

The prose is made from two of Debian's documentation packages, which apt-get downloads once; the
peers are installed into an environment of their own; ``--without-peers`` leaves them out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from subprocess import CalledProcessError

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks import environments
from benchmarks.chunkers import LIMIT, OURS, Chunked
from benchmarks.prose import load, prose_file
from benchmarks.tables import update_page

__all__ = ["Results", "as_markdown", "draw", "main", "run"]

_DOCS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
_HERE = ("managed-sync", "tiktoken", "langchain-text-splitters", "llama-index-core")
_PEERS = ("semantic-text-splitter", "chonkie")


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    characters: int
    documents: int
    size: int
    overlap: int
    rounds: int
    cores: int
    python: str
    versions: dict[str, str]
    chunkers: tuple[Chunked, ...]

    def save(self, file: Path) -> None:
        """Writes the results as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Results:
        """Reads what ``save`` wrote."""
        content = json.loads(file.read_text(encoding="utf-8"))
        return cls(**{**content, "chunkers": tuple(Chunked(**row) for row in content["chunkers"])})


def run(
    file: Path, *, size: int = 512, overlap: int = 64, rounds: int = 5, with_peers: bool = True
) -> Results:
    """Measures everything, each environment in a process of its own.

    Raises:
        CalledProcessError: The peers could not be installed, or a process failed.
    """
    pythons = [Path(sys.executable)]
    versions = {name: version(name) for name in _HERE}
    if with_peers:
        pythons.append(environments.peers_python())
        versions |= environments.required_versions(_PEERS)
    options = ["--size", str(size), "--overlap", str(overlap), "--rounds", str(rounds)]
    rows = [
        Chunked(**json.loads(line))
        for python in pythons
        for line in environments.lines_from(python, ["benchmarks.chunkers", str(file), *options])
    ]
    texts = load(file)
    return Results(
        characters=sum(map(len, texts)),
        documents=len(texts),
        size=size,
        overlap=overlap,
        rounds=rounds,
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        versions=versions,
        chunkers=tuple(rows),
    )


def as_markdown(results: Results) -> str:
    """The results as a table, with a line on what was measured."""
    packages = ", ".join(f"{name} {number}" for name, number in sorted(results.versions.items()))
    lines = [
        f"{results.documents:,} documents of {results.characters / 1e6:.1f} million characters, "
        f"{results.chunkers[0].tokens / 1e6:.2f} million tokens; chunks of {results.size} tokens, "
        f"overlap {results.overlap}; best of {results.rounds} rounds in turns, one thread; "
        f"{results.cores} cores, Python {results.python}, {packages}.",
        "",
        "| | of the limit | million tokens/s | chunks | tokens a chunk | too large | exact "
        "offsets | covered |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        f"| {LIMIT} | 1.00 | {_speed(results.chunkers[0], limit=True):.2f} | | | | | |",
    ]
    lines += [
        f"| {row.name} | {row.limit_seconds / row.seconds:.2f} | {_speed(row):.2f} "
        f"| {row.chunks:,} | {row.mean_tokens:.0f} | {row.oversized:,} | {row.exact:.3f} "
        f"| {row.covered:.3f} |"
        for row in sorted(results.chunkers, key=_share, reverse=True)
    ]
    return "\n".join(lines)


def draw(results: Results, file: Path) -> None:
    """Draws the results into an SVG file that is the same whenever they are."""
    rows = sorted(results.chunkers, key=_share)
    # Without these two, each run would give other ids and another date.
    with mpl.rc_context({"svg.hashsalt": "chunking", "font.size": 9}):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        axis = figure.subplots()
        colors = ["#0072b2" if row.name == OURS else "#bbbbbb" for row in rows]
        bars = axis.barh([row.name for row in rows], [_share(row) for row in rows], color=colors)
        axis.bar_label(bars, fmt="%.2f", padding=3)
        axis.axvline(1, color="black", linewidth=1)
        axis.set_xlabel(f"Throughput in proportion to {LIMIT}")
        figure.savefig(file, metadata={"Date": None})


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures chunking, next to other packages."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--overlap", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--update-docs", action="store_true", help=f"write to {_DOCS.name}/")
    options = parser.parse_args(arguments)
    if not 0 <= options.overlap < options.size or options.rounds < 1:
        parser.error("size must be more than overlap, and rounds at least 1")
    try:
        results = run(
            prose_file(),
            size=options.size,
            overlap=options.overlap,
            rounds=options.rounds,
            with_peers=not options.without_peers,
        )
    except (CalledProcessError, FileNotFoundError) as error:
        parser.exit(1, f"{error}\nIt needs apt-get once for the prose; what failed is above.\n")
    Console(soft_wrap=True, markup=False, highlight=False).print(as_markdown(results))
    if options.update_docs:
        results.save(_DOCS / "chunking.json")
        update_page(_DOCS / "chunking.md", as_markdown(results))
        draw(results, _DOCS / "chunking.svg")


def _share(row: Chunked) -> float:
    return row.limit_seconds / row.seconds


def _speed(row: Chunked, *, limit: bool = False) -> float:
    return row.tokens / (row.limit_seconds if limit else row.seconds) / 1e6


if __name__ == "__main__":
    main()
