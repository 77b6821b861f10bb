"""Parses files in worker processes, so that no file can stop the others.

Guarantees:

- A file that takes too long, needs too much memory, or crashes its parser is reported alone; its
  worker is replaced, and no other file is affected.
- Workers are ordinary child processes that communicate over pipes. They never import the program's
  main module, so scripts need no ``if __name__ == "__main__"``, and notebooks work.
- After ``close`` no worker is left, and none outlives the program, however it ends.

See ``docs/decisions/0026-documents-parsing-processes.md``.
"""

from __future__ import annotations

import os
import pickle
import queue
import threading
import time
from collections.abc import Mapping
from typing import Any

from managed_sync import errors
from managed_sync.documents.model import FilePart
from managed_sync.documents.parsing.base import ParsedFile, Parser, run_parser
from managed_sync.documents.parsing.file_types import display_name
from managed_sync.documents.parsing.parts import ALL_PARTS
from managed_sync.documents.parsing.worker_process import NoWorker, WorkerLost, WorkerProcess
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
# A file is read again without the parts that ended its worker, in as many time limits at most.
_MOST_TIMEOUTS = 2
_MOST_LOST_PARTS = 3


def available_cores() -> int:
    """Returns the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ParsingPool(OfProcess):
    """A pool of processes that run one parser; safe to share between threads.

    A worker is started when a file needs one. A parser that cannot be sent to another process, such
    as a lambda or a function defined in a script or notebook, runs in this process, one file at a
    time and without limits.

    Args:
        parser: The parser.
        processes: Maximum number of workers; with 0, files are parsed in this process.
        timeout: Seconds for each file.
        max_memory: Bytes that each worker may use, if the system can limit it.
    """

    def __init__(self, parser: Parser, *, processes: int, timeout: float, max_memory: int) -> None:
        self._parser = parser
        self._timeout = timeout
        self._introduction = _pickled((parser, timeout, max_memory)) if processes else None
        self._closed = False
        self._processes = processes
        self._enter_process()

    def _begin(self) -> None:
        # A forked child must not use the pipes of its parent's workers: answers would cross.
        self._here = threading.Lock()
        self._lock = threading.Lock()
        self._workers: set[WorkerProcess] = set()
        # Last in, first out: a worker that runs is taken before another one is started.
        self._slots: queue.LifoQueue[WorkerProcess | None] = queue.LifoQueue()
        for _ in range(self._processes):
            self._slots.put(None)

    def parse(self, data: bytes, *, content_type: str, filename: str) -> ParsedFile:
        """Returns the text of a file and of the files inside of it; waits for a free worker.

        A part of the file that takes too long or ends its worker is left out, and the file is read
        again without it.

        Raises:
            ManagedSyncError: The parser raised it.
            ParsingError: The file took too long, or its worker died.
        """
        introduction = self._introduction
        if introduction is None or self._is_quick(data, content_type, filename):
            return self._parse_here(data, content_type, filename)
        worker = self._slots.get()
        skipped: dict[str, str] = {}
        ends = time.monotonic() + _MOST_TIMEOUTS * self._timeout
        try:
            while True:
                if worker is None or not worker.is_usable:
                    worker = self._start(introduction)
                seconds = min(self._timeout, max(ends - time.monotonic(), 1))
                try:
                    answer = worker.ask((data, content_type, filename, skipped), seconds=seconds)
                    break
                except WorkerLost as lost:
                    if self._closed or not _leaves_out(lost, skipped):
                        raise
        except NoWorker as error:
            if self._closed:  # close() ended the worker while it was starting
                raise ParsingError(f"{filename} was not read: loading was stopped.") from None
            _warn_of_parsing_here(str(error))
            self._introduction = None
            return self._parse_here(data, content_type, filename)
        except WorkerLost as lost:
            name = display_name(filename, content_type)
            raise ParsingError(f"{name} could not be read: {lost}.") from None
        finally:
            self._slots.put(worker)
        return _parsed(answer)

    def close(self) -> None:
        """Ends all workers, including those that are parsing."""
        with self._lock:
            self._closed = True
            workers, self._workers = self._workers, set()
        for worker in workers:
            worker.end()

    def _is_quick(self, data: bytes, content_type: str, filename: str) -> bool:
        is_quick = getattr(self._parser, "is_quick", None)
        try:
            return is_quick is not None and bool(
                is_quick(data, content_type=content_type, filename=filename)
            )
        except Exception:  # noqa: BLE001 - in a worker, the same error is one of this file alone
            return False

    def _parse_here(self, data: bytes, content_type: str, filename: str) -> ParsedFile:
        with self._here:
            return run_parser(self._parser, data, content_type=content_type, filename=filename)

    def _start(self, introduction: bytes) -> WorkerProcess:
        with self._lock:
            if self._closed:
                raise WorkerLost("loading was stopped")
            worker = WorkerProcess()
            self._workers = {other for other in self._workers if other.is_usable} | {worker}
        worker.introduce(introduction)
        return worker


def _leaves_out(lost: WorkerLost, skipped: dict[str, str]) -> bool:
    """Adds the part that ended a worker to those that are not read.

    Returns:
        Whether the file can be read without it.
    """
    if not lost.part or lost.part in skipped or ALL_PARTS in skipped:
        return False
    skipped[lost.part] = str(lost)
    if len(skipped) > _MOST_LOST_PARTS or (lost.is_late and len(skipped) > 1):
        skipped[ALL_PARTS] = "other files in it could not be read either"
    return True


def _pickled(value: object) -> bytes | None:
    try:
        return pickle.dumps(value)
    except Exception as error:  # noqa: BLE001 - pickling a caller's parser may raise anything
        _warn_of_parsing_here(f"the parser cannot be used in another process ({error})")
        return None


def _warn_of_parsing_here(reason: str) -> None:
    _logger.warning(
        "Files are parsed in this process, one at a time and without a time limit: %s", reason
    )


def _texts(part: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in part.items()}


def _parsed(answer: dict[str, Any]) -> ParsedFile:
    """Returns the texts in a worker's answer.

    Raises:
        ManagedSyncError: The answer has an error.
    """
    if "text" in answer:
        try:
            parts = [FilePart(**_texts(part)) for part in answer["parts"]]
            unread, interrupted = answer["unread"], answer["interrupted"]
            return ParsedFile(str(answer["text"]), parts, map(str, unread), map(str, interrupted))
        except (AttributeError, KeyError, TypeError) as error:
            raise ParsingError(f"The process that read the file answered: {error!r}.") from error
    message = str(answer.get("message", "The process that read the file gave no reason."))
    if "extra" in answer:
        raise MissingExtraError(str(answer.get("feature")), str(answer["extra"]))
    kind = getattr(errors, str(answer.get("error")), None)
    if isinstance(kind, type) and issubclass(kind, DocumentError | ConfigurationError):
        raise kind(message)
    raise ParsingError(message)
