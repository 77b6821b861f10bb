"""Failures of the server itself: a full disk, no memory, no descriptors, an unreachable database.

They are never the fault of a request, nor of the file that was being read when they occurred. A
request gets 503 or 507 and can be retried; a sync ends with an error that names the cause.
"""

from __future__ import annotations

import errno
import os
from http import HTTPStatus

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

__all__ = ["ServerFailureError", "concerns_one_file", "database_failure", "system_failure"]

_KEPT = "What was synced before is kept."

# Errors that one file can cause. All others, such as a full disk, too many open files or an
# input/output error, would occur with any other file, too.
_OF_ONE_FILE = {
    errno.EACCES,
    errno.EBUSY,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENXIO,
    errno.EPERM,
    errno.ETXTBSY,
}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REMEDIES = {
    **dict.fromkeys(_FULL, "Free some space."),
    errno.EMFILE: "Raise the limit on open files, as with `ulimit -n`.",
    errno.ENFILE: "Raise the system's limit on open files.",
    errno.ENOMEM: "Free some memory.",
    errno.EIO: "Check the disk or the network folder.",
    errno.EROFS: "Make the folder writable.",
}

# SQLite's primary result codes, https://www.sqlite.org/rescode.html
_SQLITE = {
    5: "Another program keeps the database locked. Try again when it is done.",
    6: "Another program keeps the database locked. Try again when it is done.",
    7: "The database has no memory left. Free some memory.",
    8: "The database cannot be written to. Make its file and its folder writable.",
    10: "The database's disk fails (input/output error). Check the disk.",
    11: "The database is damaged. Restore it from a copy, or delete it and enable the pipelines.",
    13: "The disk of the database is full. Free some space.",
    14: "The database cannot be opened. Check the state folder and the limit on open files.",
}
_SQLITE_FULL = 13

# PostgreSQL's error codes or their classes, https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL = {
    "53100": "The disk of the database is full. Free some space.",
    "53200": "The database has no memory left. Free some memory.",
    "53300": "The database has too many connections. Raise max_connections, or try again.",
    "55P03": "Another transaction keeps the database locked. Try again when it is done.",
    "57014": "The database took too long to answer. Try again.",
    "58": "The database's disk fails. Check the database's log.",
}
_POSTGRESQL_FULL = "53100"
_AWAY = "The database does not answer. Try again."


class ServerFailureError(Exception):
    """The server cannot do its work.

    Args:
        message: The cause and the remedy, in sentences.
        status: The HTTP status of a request that fails because of it.
    """

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.SERVICE_UNAVAILABLE) -> None:
        super().__init__(message)
        self.status = status


def concerns_one_file(error: OSError) -> bool:
    """Returns whether the cause may lie in the one file that was being read."""
    return error.errno in _OF_ONE_FILE


def system_failure(error: OSError, action: str) -> ServerFailureError:
    """Describes an error of the operating system.

    Args:
        error: The error.
        action: What failed, such as "Cannot keep a copy of a file in /state".
    """
    number = error.errno or 0
    reason = os.strerror(number) if number else type(error).__name__
    remedy = _REMEDIES.get(number, "Try again, and check the server's disk and limits.")
    status = HTTPStatus.INSUFFICIENT_STORAGE if number in _FULL else HTTPStatus.SERVICE_UNAVAILABLE
    return ServerFailureError(f"{action}: {reason}. {remedy} {_KEPT}", status)


def database_failure(error: DBAPIError) -> ServerFailureError | None:
    """Describes an error of the database; ``None`` if the statement is to blame."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        primary = code & 0xFF
        return _failure(_SQLITE.get(primary), full=primary == _SQLITE_FULL)
    state = getattr(error.orig, "sqlstate", None)
    if state is not None and (message := _POSTGRESQL.get(state) or _POSTGRESQL.get(state[:2])):
        return _failure(message, full=state == _POSTGRESQL_FULL)
    is_away = error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return _failure(_AWAY if is_away else None, full=False)


def _failure(message: str | None, *, full: bool) -> ServerFailureError | None:
    if message is None:
        return None
    status = HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.SERVICE_UNAVAILABLE
    return ServerFailureError(f"{message} {_KEPT}", status)
