"""Permission-aware retrieval at any selectivity: recall, leaks, round trips, ids, latency.

    python -m benchmarks.retrieval                                     # in full
    python -m benchmarks.retrieval --chunks 10000 --questions 10       # a first look
    python -m benchmarks.retrieval --update-docs                       # in full, into docs/

The peers are installed into an environment of their own first; ``--without-peers`` leaves them out.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import CalledProcessError
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.common import environments
from benchmarks.common.command import command_parser
from benchmarks.common.pages import DOCS, save, update_page
from benchmarks.retrieval import plot, tables
from benchmarks.retrieval.corpus import make_cases, make_corpus
from benchmarks.retrieval.measurement import Measurement, measured_in, save_cases
from benchmarks.retrieval.oracle import Oracle
from benchmarks.retrieval.results import Results, Setting, summarize

__all__ = ["main", "run"]

_PEERS = ("auth0-ai-langchain", "langchain-spicedb", "wardowl")
SELECTIVITIES = (1.0, 0.1, 0.01, 0.001, 0.0001)


def run(
    *,
    chunks: int = 100_000,
    questions: int = 30,
    k: int = 10,
    latencies_ms: Sequence[float] = (0, 5),
    seed: int = 7,
    with_peers: bool = True,
    console: Console | None = None,
) -> Results:
    """Measures everything, and shows how far it is.

    Raises:
        CalledProcessError: The peers could not be installed, or a process failed.
        ValueError: A number makes no sense.
    """
    if k < 1 or not latencies_ms or min(latencies_ms) < 0:
        raise ValueError("k must be at least 1, and latencies 0 or more")
    console = console or Console(stderr=True)
    with console.status("Making the corpus ..."):
        corpus = make_corpus(chunks=chunks, questions=questions, seed=seed)
        cases = list(make_cases(corpus, SELECTIVITIES, seed + 1))
    processes = [(Path(sys.executable), "benchmarks.retrieval.ours")]
    if with_peers:
        with console.status("Installing the peers, unless they are ..."):
            processes.append((environments.peers_python(), "benchmarks.retrieval.peers"))
    with TemporaryDirectory() as name, _progress(console) as progress:
        folder = Path(name)
        corpus.save(folder)
        save_cases(cases, folder)
        runs = []
        for python, module in processes:
            measurements = measured_in(python, module, folder, k=k, latencies_ms=latencies_ms)
            shown = _shown(progress, module, measurements, len(cases) * len(latencies_ms))
            runs.append(list(shown))
    with console.status("Comparing with the oracle ..."):
        points, failures = summarize(runs, cases, Oracle(corpus, k))
    setting = Setting(
        chunks=len(corpus.vectors),
        objects=corpus.object_count,
        dimensions=corpus.vectors.shape[1],
        questions=len(corpus.questions),
        k=k,
        seed=seed,
        latencies_ms=tuple(latencies_ms),
        selectivities=tuple(dict.fromkeys(case.selectivity for case in cases)),
        cores=os.cpu_count() or 1,
        python=platform.python_version(),
        versions=environments.installed_versions("numpy"),
        peer_versions=environments.required_versions(_PEERS) if with_peers else {},
    )
    return Results(setting, points, failures)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures retrieval with permissions, next to other packages."""
    parser = command_parser("retrieval", main.__doc__)
    parser.add_argument("--chunks", type=int, default=100_000, help="10 of them an object")
    parser.add_argument("--questions", type=int, default=30, help="at each point")
    parser.add_argument("--k", type=int, default=10, help="passages wanted")
    parser.add_argument(
        "--latencies", type=float, nargs="+", default=[0, 5], help="of a permission request, in ms"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args(arguments)
    try:
        results = run(
            chunks=options.chunks,
            questions=options.questions,
            k=options.k,
            latencies_ms=options.latencies,
            seed=options.seed,
            with_peers=not options.without_peers,
        )
    except ValueError as error:
        parser.error(str(error))
    except CalledProcessError as error:
        parser.exit(1, f"{error}\nWhat it said is above; --without-peers needs no installation.\n")
    Console(soft_wrap=True, markup=False, highlight=False).print(tables.as_markdown(results))
    if options.update_docs:
        save(results, DOCS / "retrieval.json")
        update_page(DOCS / "retrieval.md", tables.as_markdown(results))
        plot.draw(results, DOCS / "retrieval.svg")


@contextmanager
def _progress(console: Console) -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield progress


def _shown(
    progress: Progress, module: str, measurements: Iterator[Measurement], cases: int
) -> Iterator[Measurement]:
    """The measurements, with a bar that counts the cases that were begun."""
    task = progress.add_task(module.rpartition(".")[2], total=cases)
    seen: set[tuple[float, str]] = set()
    for measurement in measurements:
        seen.add((measurement.latency_ms, measurement.subject))
        progress.update(task, completed=len(seen))
        yield measurement


if __name__ == "__main__":
    main()
