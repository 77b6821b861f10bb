"""Reads the files of a folder with each parser, and compares the texts with the truth."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.parsing.corpus.files import evenly, files_of
from benchmarks.parsing.corpus.measures import Measured, measure
from benchmarks.parsing.corpus.workers import Failure, Parsed, Worker
from benchmarks.parsing.truth.model import Truth

__all__ = ["Apart", "FileResult", "run_corpus"]


@dataclass(frozen=True)
class Apart:
    """A file that no parser is measured with, and the reason."""

    format: str
    path: str
    reason: str


@dataclass(frozen=True)
class FileResult:
    """One file, as one parser reads it.

    Attributes:
        measured: The comparison, unless the file could not be read.
        failure: The reason if it could not be read.
    """

    format: str
    parser: str
    path: str
    bytes: int
    measured: Measured | None = None
    failure: Failure | None = None
    seconds: float = 0.0
    peak_bytes: int = 0


def run_corpus(
    folder: Path,
    *,
    formats: Sequence[str],
    parsers: Sequence[str],
    limit: int | None,
    seconds: float,
) -> tuple[list[FileResult], list[Apart]]:
    """Measures parsers on the files of a folder.

    Args:
        folder: The folder, with its subfolders.
        formats: The formats to measure.
        parsers: The names of the parsers.
        limit: The most files of each format.
        seconds: The time for each file.
    """
    results: list[FileResult] = []
    apart: list[Apart] = []
    by_format = files_of(folder)
    with _workers(["truth", *parsers], seconds) as workers:
        for kind in formats:
            paths = evenly(by_format[kind], limit)
            for number, path in enumerate(paths, 1):
                _say(f"{kind} {number}/{len(paths)} {path.name}")
                name = str(path.relative_to(folder))
                truth = workers["truth"](path, kind)
                if not isinstance(truth, Truth):
                    apart.append(Apart(kind, name, _reason(truth)))
                elif not set(truth.parts) - truth.uncounted:
                    apart.append(Apart(kind, name, "without text"))
                else:
                    for parser in parsers:
                        answer = workers[parser](path, kind)
                        results.append(_result(kind, parser, name, path, answer, truth))
    _say("")
    return results, apart


@contextmanager
def _workers(roles: Sequence[str], seconds: float) -> Iterator[dict[str, Worker]]:
    workers = {role: Worker(role, seconds=seconds) for role in roles}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.end()


def _result(
    kind: str,
    parser: str,
    name: str,
    path: Path,
    answer: Parsed | Truth | Failure,
    truth: Truth,
) -> FileResult:
    size = path.stat().st_size
    if isinstance(answer, Parsed):
        return FileResult(
            kind,
            parser,
            name,
            size,
            measured=measure(answer.text, truth),
            seconds=answer.seconds,
            peak_bytes=answer.peak_bytes,
        )
    failure = answer if isinstance(answer, Failure) else Failure("error", "no text")
    return FileResult(kind, parser, name, size, failure=failure)


def _reason(answer: Parsed | Failure | Truth) -> str:
    return f"{answer.kind}: {answer.reason}" if isinstance(answer, Failure) else "no truth"


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)
    elif text and (text.split(" ")[1].split("/", maxsplit=1)[0].endswith("00")):
        print(text, file=sys.stderr, flush=True)
