"""Keeping an index in step: the first run, one without changes, one after 1 % has changed.

python -m benchmarks.indexing --records 2000           # a first look
python -m benchmarks.indexing                          # in full
python -m benchmarks.indexing --update-docs            # in full, into docs/
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks import environments, tables
from benchmarks.indexing_contenders import CONTENDERS, OURS, Measured

__all__ = ["Results", "as_markdown", "load", "main", "measure"]

_ROOT = Path(__file__).resolve().parent.parent
_DOCS = _ROOT / "docs" / "benchmarks"
RUNS = {"first": 0, "no change": 0, "1 % changed": 1}


@dataclass(frozen=True)
class Results:
    """What was measured, and on what."""

    cores: int
    python: str
    versions: dict[str, str]
    measured: tuple[Measured, ...]

    def of(self, contender: str, records: int, run: str) -> Measured:
        """One measurement."""
        wanted = (contender, records, run)
        return next(one for one in self.measured if (one.contender, one.records, one.run) == wanted)


def measure(sizes: Sequence[int], *, peers_up_to: int, console: Console) -> Results:
    """Lets every contender do its runs, one process for each, one after another.

    Args:
        sizes: How many records.
        peers_up_to: The peers, which load every record in every run, get no more than so many.
        console: Where to show how far it is.

    Raises:
        CalledProcessError: A run failed; what it said is on the standard error.
        ValueError: Contenders do not end with the same texts in the index.
    """
    measured = []
    for records in sizes:
        contenders = list(CONTENDERS) if records <= peers_up_to else [OURS]
        for contender in contenders:
            with TemporaryDirectory(prefix="indexing-") as folder:
                for run, revision in RUNS.items():
                    with console.status(f"{contender}, {records:,} records, {run} ..."):
                        measured.append(_run(contender, Path(folder), records, run, revision))
        for run in RUNS:
            digests = {one.digest for one in measured if (one.records, one.run) == (records, run)}
            if len(digests) != 1:
                raise ValueError(f"The contenders disagree after {run!r} over {records} records")
    return Results(
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        versions=environments.installed_versions(
            "langchain-core", "llama-index-core", "sqlalchemy", "wordllama"
        ),
        measured=tuple(measured),
    )


def load(path: Path) -> Results:
    """Reads results that were kept."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Results(**{**content, "measured": tuple(Measured(**one) for one in content["measured"])})


def _beside(kept: Results, new: Results) -> Results:
    """New results, beside those of other numbers of records that were measured alike."""
    if replace(kept, measured=()) != replace(new, measured=()):
        return new
    sizes = {one.records for one in new.measured}
    others = [one for one in kept.measured if one.records not in sizes]
    order = sorted([*others, *new.measured], key=lambda one: one.records)
    return replace(new, measured=tuple(order))


def as_markdown(results: Results) -> str:
    """All tables, with a line on what was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    header = "| records | contender | run | seconds | peak MB | downloads | embedded |"
    rows = [header, "| ---: | --- | --- | ---: | ---: | ---: | ---: |"]
    rows += [
        f"| {one.records:,} | {one.contender} | {one.run} | {one.seconds:.1f} | {one.peak_mb:.0f} "
        f"| {one.downloads:,} | {one.embedded:,} |"
        for one in results.measured
    ]
    return "\n\n".join(
        [
            f"{results.cores} cores, Python {results.python}, {versions}.",
            "\n".join(rows),
            "**In proportion**: seconds to those of the same contender's first run, and the most "
            "memory that any of the three took.",
            _proportions(results),
        ]
    )


def _proportions(results: Results) -> str:
    rows = [
        "| contender | records | no change / first | 1 % / first | peak MB of all three |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    firsts = [one for one in results.measured if one.run == "first"]
    for first in sorted(firsts, key=lambda one: list(CONTENDERS).index(one.contender)):
        runs = {run: results.of(first.contender, first.records, run) for run in RUNS}
        shares = [runs[run].seconds / first.seconds for run in ("no change", "1 % changed")]
        peak = max(one.peak_mb for one in runs.values())
        cells = " | ".join(f"{share:.3f}" for share in shares)
        rows.append(f"| {first.contender} | {first.records:,} | {cells} | {peak:.0f} |")
    return "\n".join(rows)


def _run(contender: str, folder: Path, records: int, run: str, revision: int) -> Measured:
    command = [sys.executable, "-m", "benchmarks.indexing_contenders", contender, str(folder)]
    command += ["--records", str(records), "--revision", str(revision), "--run", run]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    result = subprocess.run(
        command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return Measured(**json.loads(result.stdout.splitlines()[-1]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures what keeping an index in step costs, next to what the frameworks bring."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument(
        "--peers-up-to", type=int, default=10_000, help="records; 0 leaves the peers out"
    )
    parser.add_argument("--update-docs", action="store_true", help=f"write to {_DOCS.name}/")
    options = parser.parse_args(arguments)
    if min(options.records) < 100:
        parser.error("one record in a hundred changes, so there must be a hundred at least")
    console = Console(stderr=True)
    try:
        results = measure(sorted(options.records), peers_up_to=options.peers_up_to, console=console)
    except (subprocess.CalledProcessError, ValueError) as error:
        parser.exit(1, f"{error}\n")
    if options.update_docs:
        results = _beside(load(_DOCS / "indexing.json"), results)
    Console(soft_wrap=True, markup=False, highlight=False).print(as_markdown(results))
    if options.update_docs:
        content = json.dumps(asdict(results), indent=1)
        (_DOCS / "indexing.json").write_text(content + "\n", encoding="utf-8")
        tables.update_page(_DOCS / "indexing.md", as_markdown(results))


if __name__ == "__main__":
    main()
