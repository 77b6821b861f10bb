"""Processes that do one thing at a time, are watched, and are replaced when they hang or die."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import psutil

from benchmarks.common.memory import peak_bytes
from benchmarks.parsing.truth.model import DamagedFileError, Truth, UnsupportedFileError

__all__ = ["Failure", "Parsed", "Worker"]

_START_SECONDS = 120.0
# A process that only waits hangs, too.
_MOST_WAITING = 4


@dataclass(frozen=True)
class Parsed:
    """The text of a file, and what it took.

    Attributes:
        text: The Markdown.
        seconds: On one core.
        peak_bytes: The most memory of the process while it read the file.
    """

    text: str
    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Failure:
    """A file that could not be read.

    Attributes:
        kind: ``"damaged"`` and ``"unsupported"`` are the truth's; ``"hang"`` and ``"crash"`` end
            the process.
        reason: One line.
    """

    kind: Literal["damaged", "unsupported", "error", "hang", "crash"]
    reason: str


class Worker:
    """A process that reads files with one parser, or the truth about them.

    Args:
        role: The name of a parser, or ``"truth"``.
        seconds: The time for each file, on one core.
    """

    def __init__(self, role: str, *, seconds: float) -> None:
        self._role = role
        self._seconds = seconds
        self._process: Any = None
        self._pipe: Connection | None = None

    def __call__(self, path: Path, kind: str) -> Parsed | Truth | Failure:
        """Returns what the process makes of a file."""
        pipe = self._pipe or self._start()
        try:
            pipe.send((path, kind))
            if not self._answers(pipe):
                self.end()
                return Failure("hang", f"it takes longer than {self._seconds:g} s")
            answer: Parsed | Truth | Failure = pipe.recv()
            return answer
        except (EOFError, OSError, psutil.Error):
            status = self._process.exitcode if self._process else None
            self.end()
            return Failure("crash", f"the process ended (status {status})")

    def end(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._pipe = None

    def _answers(self, pipe: Connection) -> bool:
        """Waits for an answer; time in which other programs hold the cores does not count."""
        process = psutil.Process(self._process.pid)
        before = sum(process.cpu_times()[:4])
        deadline = time.monotonic() + self._seconds * _MOST_WAITING
        while not pipe.poll(min(1.0, self._seconds)):
            spent = sum(process.cpu_times()[:4]) - before
            if spent >= self._seconds or time.monotonic() > deadline:
                return False
        return True

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._role, there), daemon=True)
        self._process.start()
        there.close()
        if self._pipe.poll(_START_SECONDS):
            self._pipe.recv()
        return self._pipe


def _serve(role: str, pipe: Connection) -> None:
    # What libraries print would mix with the results.
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    answer = _truth if role == "truth" else _parser(role)
    pipe.send("ready")
    for path, kind in _requests(pipe):
        try:
            result: Parsed | Truth | Failure = answer(path, kind)
        except DamagedFileError as error:
            result = Failure("damaged", _line(error))
        except UnsupportedFileError as error:
            result = Failure("unsupported", _line(error))
        except BaseException as error:  # noqa: BLE001 - panics of libraries too
            result = Failure("error", f"{type(error).__name__}: {_line(error)}")
        pipe.send(result)


def _requests(pipe: Connection) -> Iterator[tuple[Path, str]]:
    with contextlib.suppress(EOFError):
        while True:
            yield pipe.recv()


def _truth(path: Path, kind: str) -> Truth:
    from benchmarks.parsing.truth.pdf_tables import add_tables  # noqa: PLC0415 - not with parsers
    from benchmarks.parsing.truth.reading import read_truth  # noqa: PLC0415 - not with parsers

    truth = read_truth(path.read_bytes(), kind)
    if kind == "pdf":
        add_tables(truth, path)
    return truth


def _parser(role: str) -> Any:
    from benchmarks.parsing.corpus.candidates import parse_with  # noqa: PLC0415 - not with truths

    parse = parse_with(role)

    def answer(path: Path, _: str) -> Parsed:
        data = path.read_bytes()
        _forget_peak()
        started = time.process_time()
        text = parse(data, path.name)
        return Parsed(text, time.process_time() - started, _peak())

    return answer


def _forget_peak() -> None:
    """Sets the peak of the memory to what is used now, where the system can do that."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _peak() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    return peak_bytes()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]
