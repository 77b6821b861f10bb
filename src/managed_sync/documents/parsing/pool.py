"""Parsing in worker processes, so that no file can stop the others.

Guarantees:

- A file that takes too long, needs too much memory, or crashes its parser is reported for itself;
  its worker is replaced, and no other file is affected.
- Workers are ordinary child processes that talk over pipes. They never import the program's main
  module, so scripts need no ``if __name__ == "__main__"``, and notebooks work.
- After ``close`` no worker is left; and none outlives the program, however it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from typing import Any

from managed_sync import errors
from managed_sync.documents.parsing.base import Parser, run_parser
from managed_sync.documents.parsing.file_types import display_name
from managed_sync.errors import (
    ConfigurationError,
    DocumentError,
    MissingExtraError,
    ParsingError,
)
from managed_sync.forks import OfProcess
from managed_sync.logs import get_logger

__all__ = ["DEFAULT_MAX_MEMORY", "DEFAULT_PARSE_TIMEOUT", "ParsingPool", "available_cores"]

_logger = get_logger(__name__)

DEFAULT_PARSE_TIMEOUT = 60.0
DEFAULT_MAX_MEMORY = 4 * 1024**3
# No names stay behind in the worker's main module, which a pickled parser could take for its own.
_PROGRAM = (
    "import sys; sys.path[:] = __import__('json').loads(sys.argv[1]); del sys; "
    "__import__('managed_sync.documents.parsing.worker', fromlist=['serve']).serve()"
)
_START_SECONDS = 60.0


def available_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ParsingPool(OfProcess):
    """Runs one parser in several processes; safe to share between threads.

    Workers are started when a file needs one. A parser that cannot be sent to another process (a
    lambda, or something defined in a script or notebook) runs in this one, a file at a time and
    without limits.

    Args:
        parser: What to run.
        processes: Workers at most; 0 for none, so that everything is parsed here.
        timeout: Seconds for each file.
        max_memory: Bytes that each worker may use, where the system can limit it.
    """

    def __init__(self, parser: Parser, *, processes: int, timeout: float, max_memory: int) -> None:
        self._parser = parser
        self._timeout = timeout
        self._introduction = _pickled((parser, timeout, max_memory)) if processes else None
        self._closed = False
        self._processes = processes
        self._enter_process()

    def _begin(self) -> None:
        # The pipes of another process's workers are never used: answers would cross.
        self._here = threading.Lock()
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        # Last in, first out: a worker that runs is taken before another one is started.
        self._slots: queue.LifoQueue[_Worker | None] = queue.LifoQueue()
        for _ in range(self._processes):
            self._slots.put(None)

    def parse(self, data: bytes, *, content_type: str, filename: str) -> str:
        """The text of a file, by whichever process is free; waits until one is.

        Raises:
            ManagedSyncError: What the parser raised.
            ParsingError: The file took too long, or its worker died.
        """
        introduction = self._introduction
        if introduction is None or self._is_quick(data, content_type, filename):
            return self._parse_here(data, content_type, filename)
        worker = self._slots.get()
        try:
            if worker is None or not worker.is_usable:
                worker = self._start(introduction)
            answer = worker.ask((data, content_type, filename), seconds=self._timeout)
        except _NoWorker as error:
            if self._closed:  # which ended it while it was starting
                raise ParsingError(f"{filename} was not read: loading was stopped.") from None
            _warn_of_parsing_here(str(error))
            self._introduction = None
            return self._parse_here(data, content_type, filename)
        except _WorkerLost as lost:
            name = display_name(filename, content_type)
            raise ParsingError(f"{name} could not be read: {lost}.") from None
        finally:
            self._slots.put(worker)
        return _text_of(answer)

    def close(self) -> None:
        """Ends all workers, also those that are parsing."""
        with self._lock:
            self._closed = True
            workers, self._workers = self._workers, set()
        for worker in workers:
            worker.end()

    def _is_quick(self, data: bytes, content_type: str, filename: str) -> bool:
        is_quick = getattr(self._parser, "is_quick", None)
        return is_quick is not None and is_quick(data, content_type=content_type, filename=filename)

    def _parse_here(self, data: bytes, content_type: str, filename: str) -> str:
        with self._here:
            return run_parser(self._parser, data, content_type=content_type, filename=filename)

    def _start(self, introduction: bytes) -> _Worker:
        with self._lock:
            if self._closed:
                raise _WorkerLost("loading was stopped")
            worker = _Worker()
            self._workers = {other for other in self._workers if other.is_usable} | {worker}
        worker.introduce(introduction)
        return worker


class _NoWorker(Exception):  # noqa: N818 - never seen outside
    """A worker cannot be started, or cannot have this parser."""


class _WorkerLost(Exception):  # noqa: N818 - never seen outside
    """A worker ended while it was parsing; the message says why."""


class _Worker:
    """One worker process, asked one thing at a time."""

    def __init__(self) -> None:
        if not sys.executable or getattr(sys, "frozen", False):
            raise _NoWorker("this program has no Python interpreter to start another one with")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this package itself
                [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # Apart from this program's group, so that Ctrl-C reaches this program only.
                process_group=0 if os.name == "posix" else None,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise _NoWorker(f"no other process can be started ({error})") from error
        self._ending = threading.Lock()
        self._has_expired = False

    @property
    def is_usable(self) -> bool:
        return self._process.poll() is None and not self._has_expired

    def introduce(self, introduction: bytes) -> None:
        """Gives the worker its parser.

        Raises:
            _NoWorker: It did not start, or cannot have this parser.
        """
        try:
            answer = self._exchange(introduction, _START_SECONDS)
        except _WorkerLost as lost:
            raise _NoWorker(f"a worker process did not start ({lost})") from lost
        if "error" in answer:
            self.end()
            raise _NoWorker(f"the parser cannot be used in another one ({answer['message']})")

    def ask(self, request: tuple[bytes, str, str], *, seconds: float) -> dict[str, Any]:
        """What the worker makes of a file.

        Raises:
            _WorkerLost: It took too long or died; it has ended.
        """
        return self._exchange(pickle.dumps(request), seconds)

    def end(self) -> None:
        """Ends the process and whatever it has started."""
        with self._ending:
            if self._process.poll() is None:
                if os.name == "posix":
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
                self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def _exchange(self, request: bytes, seconds: float) -> dict[str, Any]:
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            line = self._round_trip(request)
        finally:
            timer.cancel()
        if line.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(line)
            return answer
        self.end()
        if self._has_expired:
            raise _WorkerLost(f"it takes longer than {seconds:g} s")
        raise _WorkerLost(f"the process that read it died ({_cause(self._process.returncode)})")

    def _round_trip(self, request: bytes) -> bytes:
        """The answer's line, which is cut off if the process ends first."""
        questions, answers = self._process.stdin, self._process.stdout
        if questions is None or answers is None:
            return b""
        try:
            questions.write(request)
            questions.flush()
            return answers.readline()
        except (OSError, ValueError):  # ValueError: ended, and its pipes closed, meanwhile
            return b""

    def _expire(self) -> None:
        self._has_expired = True
        self.end()


def _pickled(value: object) -> bytes | None:
    try:
        return pickle.dumps(value)
    except Exception as error:  # noqa: BLE001 - whatever pickling somebody's parser raises
        _warn_of_parsing_here(f"the parser cannot be used in another one ({error})")
        return None


def _warn_of_parsing_here(reason: str) -> None:
    _logger.warning(
        "Files are parsed in this process, one at a time and without a time limit: %s", reason
    )


def _cause(returncode: int) -> str:
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def _text_of(answer: dict[str, str]) -> str:
    """The text in a worker's answer.

    Raises:
        ManagedSyncError: The error in it.
    """
    if "text" in answer:
        return answer["text"]
    message = answer["message"]
    if "extra" in answer:
        raise MissingExtraError(message.partition(" needs an extra")[0], answer["extra"])
    kind = getattr(errors, answer["error"], None)
    if isinstance(kind, type) and issubclass(kind, DocumentError | ConfigurationError):
        raise kind(message)
    raise ParsingError(message)
