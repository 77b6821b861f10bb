"""The lock that lets one run at a time work on a pipeline.

It is the operating system's for a file, and PostgreSQL's for a database, and so is gone together
with the process or the connection that held it, however that ended. The ledger says who holds it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from sqlalchemy import text

from managed_sync.errors import IndexingError, IndexLockedError
from managed_sync.forks import LockedFiles
from managed_sync.indexing.ledger.database import ADVISORY_LOCKS
from managed_sync.indexing.ledger.ledger import PipelineLedger

__all__ = ["locked"]

_POLL_SECONDS = 0.2
# The lock of a file is the process's, so threads of one process are kept apart here.
_held_here = LockedFiles()


@contextmanager
def locked(
    ledger: PipelineLedger, *, wait: float = 0.0, stop: threading.Event | None = None
) -> Iterator[None]:
    """Holds the lock of a pipeline.

    Args:
        ledger: The pipeline's.
        wait: Seconds to wait for a run that is under way.
        stop: Ends the waiting when it is set.

    Raises:
        IndexLockedError: Another run holds it, and has not ended in time.
    """
    lock = _FileLock(ledger) if ledger.database.file else _DatabaseLock(ledger)
    deadline = time.monotonic() + wait
    pause = stop or threading.Event()
    while not lock.try_to_take():
        left = deadline - time.monotonic()
        if left <= 0 or pause.wait(min(_POLL_SECONDS, left)):
            raise IndexLockedError(
                f"{ledger.pipeline} is being indexed by {_holder(ledger)}. Wait until that run "
                f"has ended, or let this one wait for it."
            )
    try:
        ledger.set_notes(holder=_this_process())
        yield
        # Nothing is called complete that another run may have worked on at the same time.
        ledger.database.require_connection()
    finally:
        lock.release()


def _this_process() -> str:
    holder = {"process": os.getpid(), "host": socket.gethostname(), "since": time.time()}
    return json.dumps(holder)


def _holder(ledger: PipelineLedger) -> str:
    said = ledger.note("holder")
    if not said:
        return "another process"
    holder = json.loads(said)
    since = datetime.fromtimestamp(holder["since"], UTC)
    return f"process {holder['process']} on {holder['host']} since {since:%Y-%m-%d %H:%M:%S} UTC"


class _DatabaseLock:
    """An advisory lock of PostgreSQL, which belongs to the ledger's connection."""

    def __init__(self, ledger: PipelineLedger) -> None:
        self._database = ledger.database
        self._key = {"space": ADVISORY_LOCKS, "pipeline": ledger.pipeline_id}

    def try_to_take(self) -> bool:
        return self._call("pg_try_advisory_lock")

    def release(self) -> None:
        # A connection that is lost has no lock any more.
        with suppress(IndexingError):
            self._call("pg_advisory_unlock")

    def _call(self, function: str) -> bool:
        statement = text(f"SELECT {function}(:space, :pipeline)")
        with self._database.reading() as connection:
            return bool(connection.execute(statement, self._key).scalar_one())


class _FileLock:
    """A lock on a file beside the ledger, which stays there: to remove it would break the lock."""

    def __init__(self, ledger: PipelineLedger) -> None:
        file = ledger.database.file
        assert file is not None  # noqa: S101 - tells the type checker
        self._path = file.resolve().with_name(f"{file.name}-lock-{ledger.pipeline_id}")
        self._descriptor = -1

    def try_to_take(self) -> bool:
        with _held_here.guard:
            if self._path in _held_here.paths:
                return False
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as error:
                raise IndexingError(
                    f"The lock {self._path} cannot be opened ({error.strerror}); make room on the "
                    f"disk, or give this user the right to write there."
                ) from None
            try:
                _lock_file(self._descriptor)
            except OSError:
                os.close(self._descriptor)
                return False
            _held_here.paths.add(self._path)
            return True

    def release(self) -> None:
        with _held_here.guard:
            _held_here.paths.discard(self._path)
            # Which frees the lock.
            os.close(self._descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock_file(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock_file(descriptor: int) -> None:
        # Unlike flock's, this one does not stay with a child that a killed process leaves behind.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
