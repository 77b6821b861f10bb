"""The program of a worker process, which parses one file after another.

``worker_process`` starts it, sends requests to its standard input and reads answers from its
standard output.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, BinaryIO

from managed_sync.documents.parsing.base import Parser, run_parser
from managed_sync.documents.parsing.parts import PartsRequest, parts_request
from managed_sync.errors import ManagedSyncError, MissingExtraError

__all__ = ["serve"]

# Without a parent that stops it, a worker lives this much longer than its limit.
_GRACE_SECONDS = 10.0
# Parsed trees have reference cycles, which Python collects the more rarely the more code is loaded:
# without this, a worker grows by half within 2,000 files.
_FILES_BETWEEN_COLLECTIONS = 50


def serve() -> None:
    """Answers requests until the standard input ends.

    The first request is the parser, the time limit in seconds, and the memory limit in bytes. Every
    other request is a file's bytes, content type and name, and the parts of it that are not to be
    read. Each part is announced by a line before it is read, so that the parent knows which one
    ended this process.
    """
    requests, answers = _take_standard_streams()
    # The parent handles Ctrl-C, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        parser, seconds, max_memory = pickle.load(requests)  # noqa: S301 - from the parent
    except Exception as error:  # noqa: BLE001 - unpickling a caller's parser may raise anything
        _write(answers, _described(error))
        return
    _limit_memory(max_memory)
    _write(answers, {})
    _discard_errors()
    for count, request in enumerate(iter(lambda: _next(requests), None), start=1):
        data, content_type, filename, skipped = request
        parts = PartsRequest(seconds, skipped, lambda path: _write(answers, {"part": path}))
        with _last_resort(seconds), parts_request(parts):
            answer = _parse(parser, data, content_type, filename)
        _write(answers, answer)
        if count % _FILES_BETWEEN_COLLECTIONS == 0:
            gc.collect()


def _parse(parser: Parser, data: bytes, content_type: str, filename: str) -> dict[str, Any]:
    try:
        parsed = run_parser(parser, data, content_type=content_type, filename=filename)
        return {
            "text": parsed,
            "parts": [asdict(part) for part in parsed.parts],
            "unread": parsed.unread,
            "interrupted": parsed.interrupted,
        }
    except MissingExtraError as error:
        return {**_described(error), "feature": error.feature, "extra": error.extra}
    except ManagedSyncError as error:
        return _described(error)


def _described(error: Exception) -> dict[str, str]:
    return {"error": type(error).__name__, "message": str(error)}


def _take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Returns the pipes to the parent, out of reach of libraries that read or print."""
    requests = os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, sys.stdin.fileno())
    os.dup2(nothing, sys.stdout.fileno())
    return requests, answers


def _discard_errors() -> None:
    """Discards the output of libraries; errors that matter are in the answer."""
    os.dup2(sys.stdin.fileno(), sys.stderr.fileno())


def _next(requests: BinaryIO) -> tuple[bytes, str, str, dict[str, str]] | None:
    try:
        request: tuple[bytes, str, str, dict[str, str]] = pickle.load(requests)  # noqa: S301 - from the parent
    except (EOFError, pickle.UnpicklingError):
        return None
    return request


def _write(answers: BinaryIO, answer: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the parent is gone
        answers.write(json.dumps(answer).encode("ascii") + b"\n")
        answers.flush()


def _limit_memory(limit: int) -> None:
    """Makes the system refuse memory beyond a limit, if it can."""
    try:
        import resource  # noqa: PLC0415 - not on Windows

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ImportError, ValueError, OSError):
        return


@contextlib.contextmanager
def _last_resort(seconds: float) -> Iterator[None]:
    """Ends this process if a file takes too long and no parent is left to end it.

    The timer runs in C, so that it works while a library holds the interpreter.
    """
    faulthandler.dump_traceback_later(seconds + _GRACE_SECONDS, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
