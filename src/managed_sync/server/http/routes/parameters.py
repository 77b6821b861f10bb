"""What several routes take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import Path, Query
from pydantic import Field

from managed_sync.errors import InvalidIdentifierError
from managed_sync.server.http.problems import ProblemError

__all__ = ["Integration", "Name", "RecordId", "SyncType", "malformed_is_refused"]

Name = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""A string that any database can be asked about: PostgreSQL takes NUL for an error."""

Integration = Annotated[str, Query(description="Integration identifier, such as googleDrive.")]
SyncType = Annotated[
    str, Query(alias="syncType", description="The pipeline's type: files, contacts, deals, …")
]
RecordId = Annotated[str, Path(alias="recordId", description="The id of a synced record.")]


@contextmanager
def malformed_is_refused() -> Iterator[None]:
    """Answers a malformed identifier with 400.

    Raises:
        ProblemError: The block came upon one.
    """
    try:
        yield
    except InvalidIdentifierError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from None
