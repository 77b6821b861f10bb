"""Runs one worker process and exchanges messages with it over pipes.

Requests are pickles, answers are lines of JSON: a worker that a malicious file has taken over
cannot make this process run anything.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import Any

__all__ = ["NoWorker", "WorkerLost", "WorkerProcess"]

# No names stay in the worker's main module, because a pickled parser could take them for its own.
_PROGRAM = (
    "import sys; sys.path[:] = __import__('json').loads(sys.argv[1]); del sys; "
    "__import__('managed_sync.documents.parsing.worker', fromlist=['serve']).serve()"
)
_START_SECONDS = 60.0


class NoWorker(Exception):  # noqa: N818 - never leaves the pool
    """Raised when a worker cannot be started, or cannot use this parser."""


class WorkerLost(Exception):  # noqa: N818 - never leaves the pool
    """Raised when a worker ends while it parses; the message is the reason.

    Attributes:
        part: The path of the part that it was reading, if it was reading one.
        is_late: Whether it took too long.
    """

    def __init__(self, message: str, *, part: str = "", is_late: bool = False) -> None:
        super().__init__(message)
        self.part = part
        self.is_late = is_late


class WorkerProcess:
    """A worker process that parses one file at a time.

    Raises:
        NoWorker: The process cannot be started.
    """

    def __init__(self) -> None:
        if not sys.executable or getattr(sys, "frozen", False):
            raise NoWorker("this program has no Python interpreter to start another one with")
        try:
            self._process = subprocess.Popen(  # noqa: S603 - runs this package itself
                [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                # A process group of its own, so that Ctrl-C reaches only this program.
                process_group=0 if os.name == "posix" else None,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise NoWorker(f"no other process can be started ({error})") from error
        self._part = ""
        self._ending = threading.Lock()
        self._has_expired = False

    @property
    def is_usable(self) -> bool:
        """True while the process runs and has not exceeded its time."""
        return self._process.poll() is None and not self._has_expired

    def introduce(self, introduction: bytes) -> None:
        """Sends the worker its parser.

        Raises:
            NoWorker: It did not start, or cannot use this parser.
        """
        try:
            answer = self._exchange(introduction, _START_SECONDS)
        except WorkerLost as lost:
            raise NoWorker(f"a worker process did not start ({lost})") from lost
        if "error" in answer:
            self.end()
            raise NoWorker(f"the parser cannot be used in another process ({answer['message']})")

    def ask(
        self, request: tuple[bytes, str, str, Mapping[str, str]], *, seconds: float
    ) -> dict[str, Any]:
        """Returns the worker's answer to a file.

        Raises:
            WorkerLost: It took too long or died; the process has ended.
        """
        return self._exchange(pickle.dumps(request), seconds)

    def end(self) -> None:
        """Ends the process and all processes that it started."""
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
        self._part = ""
        try:
            answer = self._round_trip(request)
        finally:
            timer.cancel()
        if answer is not None:
            return answer
        self.end()
        if self._has_expired:
            reason = f"it takes longer than {seconds:g} s"
        else:
            reason = f"the process that read it died ({_cause(self._process.returncode)})"
        raise WorkerLost(reason, part=self._part, is_late=self._has_expired)

    def _round_trip(self, request: bytes) -> dict[str, Any] | None:
        """Returns the answer, or ``None`` if the process ends before it; notes parts under way."""
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:
            return None
        try:
            requests.write(request)
            requests.flush()
            while (line := answers.readline()).endswith(b"\n"):
                answer = json.loads(line)
                if not isinstance(answer, dict):
                    break
                if "part" not in answer:
                    return answer
                self._part = str(answer["part"])
        except (OSError, ValueError):  # ValueError: end() closed the pipes meanwhile
            pass
        return None

    def _expire(self) -> None:
        self._has_expired = True
        self.end()


def _cause(returncode: int) -> str:
    if returncode >= 0:
        return f"exit status {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"
