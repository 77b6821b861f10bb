"""The lock that lets one run at a time work on a pipeline.

It is a lock of the operating system for a file, and one of PostgreSQL for a database, and so it is
gone together with the process or the connection that held it, however that ended. The ledger names
its holder.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from sqlalchemy import text

from managed_sync.backoff import poll
from managed_sync.errors import IndexingError, IndexLockedError
from managed_sync.indexing.ledger.database import ADVISORY_LOCKS
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.private_files import FileLock

__all__ = ["locked"]

_POLL_SECONDS = 0.2


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
        IndexingError: The lock cannot be opened, or was lost while it was held.
    """
    file = ledger.database.file
    lock = (
        FileLock(file.resolve().with_name(f"{file.name}-lock-{ledger.pipeline_id}"))
        if file
        else _DatabaseLock(ledger)
    )
    try:
        is_acquired = poll(lock.try_acquire, seconds=wait, every=_POLL_SECONDS, stop=stop)
    except OSError as error:
        raise IndexingError(
            f"The lock {error.filename} cannot be opened ({error.strerror}); make room on the "
            f"disk, or give this user the right to write there."
        ) from None
    if not is_acquired:
        raise IndexLockedError(
            f"{ledger.pipeline} is being indexed by {_holder(ledger)}. Wait until that run has "
            f"ended, or let this one wait for it."
        )
    try:
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        ledger.set_notes(holder=json.dumps(holder))
        yield
        # Nothing is called complete that another run may have worked on at the same time.
        ledger.database.require_connection()
    finally:
        lock.release()


def _holder(ledger: PipelineLedger) -> str:
    note = ledger.note("holder")
    if not note:
        return "another process"
    holder = json.loads(note)
    since = datetime.fromtimestamp(holder["since"], UTC)
    return f"process {holder['process']} on {holder['host']} since {since:%Y-%m-%d %H:%M:%S} UTC"


class _DatabaseLock:
    """An advisory lock of PostgreSQL, which belongs to the ledger's connection."""

    def __init__(self, ledger: PipelineLedger) -> None:
        self._database = ledger.database
        self._key = {"space": ADVISORY_LOCKS, "pipeline": ledger.pipeline_id}

    def try_acquire(self) -> bool:
        return self._call("pg_try_advisory_lock")

    def release(self) -> None:
        # A connection that is lost has no lock any more.
        with suppress(IndexingError):
            self._call("pg_advisory_unlock")

    def _call(self, function: str) -> bool:
        statement = text(f"SELECT {function}(:space, :pipeline)")
        with self._database.reading() as connection:
            return bool(connection.execute(statement, self._key).scalar_one())
