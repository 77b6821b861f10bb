r"""Lets contenders answer every case, and writes down what each answer took.

Runs as a process of its own, in the environment of its contenders: it reads the corpus and the
cases from files and writes one JSON line for each answer.

    python -m benchmarks.retrieval.measurement benchmarks.retrieval.ours folder \
        --k 10 --latencies 0 5
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from benchmarks.common.processes import lines_from
from benchmarks.retrieval.contenders import Contender
from benchmarks.retrieval.corpus import Case, Corpus
from benchmarks.retrieval.permission_service import PermissionService
from benchmarks.retrieval.vector_store import ExactVectorStore, object_id, question_text, row_of

__all__ = ["Measurement", "load_cases", "main", "measure", "measured_in", "save_cases"]

Entry: TypeAlias = Callable[[ExactVectorStore, PermissionService, int], list[Contender]]
_WARM_UP_CASES = 3


@dataclass(frozen=True)
class Measurement:
    """One answer of one contender.

    Attributes:
        contender: Its name.
        latency_ms: How long each permission request took.
        subject: Whose case it was.
        seconds: How long the answer took.
        rounds: Permission requests one after another; those at the same time count once.
        checked: Objects that the permission service was asked about.
        listed: Objects that the permission service listed.
        first_look: Objects that the first permission request asked about, if it was a check.
        rows: The chunks that were returned, best first.
        error: The exception, if there was one.
    """

    contender: str
    latency_ms: float
    subject: str
    seconds: float
    rounds: int
    checked: int
    listed: int
    first_look: int
    rows: tuple[int, ...]
    error: str | None = None

    @property
    def ids(self) -> int:
        """Object ids that moved between the contender and the permission service."""
        return self.checked + self.listed


def save_cases(cases: Sequence[Case], folder: Path) -> None:
    """Writes cases for other processes."""
    described = [(case.placement, case.selectivity, case.question) for case in cases]
    (folder / "cases.json").write_text(json.dumps(described), encoding="utf-8")
    np.savez(folder / "allowed.npz", *(case.allowed for case in cases))


def load_cases(folder: Path) -> list[Case]:
    """Reads what ``save_cases`` wrote."""
    described = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    with np.load(folder / "allowed.npz") as arrays:
        return [
            Case(placement, selectivity, question, arrays[f"arr_{number}"])
            for number, (placement, selectivity, question) in enumerate(described)
        ]


def measure(
    entry: Entry, corpus: Corpus, cases: Sequence[Case], *, k: int, latencies_ms: Sequence[float]
) -> Iterator[Measurement]:
    """Every contender's answer to every case, at every latency of the permission service.

    The contenders take turns at each case, so that what else the computer does meets all alike.
    At each latency they are made anew: nothing that they remember of a subject helps them.
    """
    store = ExactVectorStore(corpus)
    allowed = {case.subject: [object_id(number) for number in case.allowed] for case in cases}
    # Otherwise the garbage collector walks through the store's documents while others are timed.
    gc.collect()
    gc.freeze()
    for latency_ms in latencies_ms:
        service = PermissionService(allowed)
        failed = {}
        for contender in entry(store, service, k):
            for case in cases[:_WARM_UP_CASES]:
                measurement = _answer(contender, case, service, latency_ms)
                if measurement.error:
                    failed[contender.name] = measurement
        # What fails at once is reported once, and not asked again.
        yield from failed.values()
        contenders = [one for one in entry(store, service, k) if one.name not in failed]
        service.latency = latency_ms / 1000
        for number, case in enumerate(cases):
            first = number % len(contenders)
            for contender in contenders[first:] + contenders[:first]:
                yield _answer(contender, case, service, latency_ms)


def measured_in(
    python: Path, module: str, folder: Path, *, k: int, latencies_ms: Sequence[float]
) -> Iterator[Measurement]:
    """The measurements of a module's contenders, as they come.

    Raises:
        subprocess.CalledProcessError: The process failed; what it said is on the standard error.
    """
    arguments = ["benchmarks.retrieval.measurement", module, str(folder), "--k", str(k)]
    arguments += ["--latencies", *(f"{latency:g}" for latency in latencies_ms)]
    for line in lines_from(python, arguments):
        fields = json.loads(line)
        yield Measurement(**{**fields, "rows": tuple(fields["rows"])})


def _answer(
    contender: Contender,
    case: Case,
    service: PermissionService,
    latency_ms: float,
) -> Measurement:
    question = question_text(case.question)
    service.take_usage()
    error: str | None = None
    rows: tuple[int, ...] = ()
    started = time.perf_counter()
    try:
        documents = contender.retrieve(question, case.subject)
    except Exception as problem:  # noqa: BLE001 - what goes wrong is a result too
        seconds = time.perf_counter() - started
        error = f"{type(problem).__name__}: {problem}"
    else:
        seconds = time.perf_counter() - started
        rows = tuple(row_of(document) for document in documents)
    usage = service.take_usage()
    return Measurement(
        contender=contender.name,
        latency_ms=latency_ms,
        subject=case.subject,
        seconds=seconds,
        rounds=usage.rounds,
        checked=usage.checked,
        listed=usage.listed,
        first_look=usage.first_check,
        rows=rows,
        error=error,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures the contenders of one module and writes JSON lines to the standard output."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("module", help="the module whose contenders() to measure")
    parser.add_argument("folder", type=Path, help="where the corpus and the cases are")
    parser.add_argument("--k", type=int, required=True)
    parser.add_argument("--latencies", type=float, nargs="+", required=True)
    options = parser.parse_args(arguments)
    # Lines about each incomplete result would cost time, and hide the progress.
    logging.disable(logging.ERROR)
    entry: Entry = importlib.import_module(options.module).contenders
    # A line that a package prints must not end up between the results.
    results, sys.stdout = sys.stdout, sys.stderr
    for measurement in measure(
        entry,
        Corpus.load(options.folder),
        load_cases(options.folder),
        k=options.k,
        latencies_ms=options.latencies,
    ):
        results.write(json.dumps(asdict(measurement)) + "\n")
        results.flush()


if __name__ == "__main__":
    main()
