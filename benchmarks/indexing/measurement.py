"""Lets every contender do its runs, each in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.common import environments
from benchmarks.common.processes import lines_from
from benchmarks.indexing.contenders import CONTENDERS, OURS, Measured
from benchmarks.indexing.report import RUNS, Results

__all__ = ["measure"]


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


def _run(contender: str, folder: Path, records: int, run: str, revision: int) -> Measured:
    options = ["--records", str(records), "--revision", str(revision), "--run", run]
    arguments = ["benchmarks.indexing.contenders", contender, str(folder), *options]
    *_, line = lines_from(Path(sys.executable), arguments)
    return Measured(**json.loads(line))
