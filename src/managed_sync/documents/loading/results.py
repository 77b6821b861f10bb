"""What a load gives for each record: a document, or the reason why there is none."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import TypeAlias

from managed_sync.documents.model import SourceDocument
from managed_sync.errors import ManagedSyncError
from managed_sync.logs import get_logger

__all__ = ["LoadFailure", "Loaded", "adocuments_only", "documents_only", "note_failure"]

_logger = get_logger(__name__)


@dataclass(frozen=True)
class LoadFailure:
    """A record that did not become a document.

    Of one that is malformed in the listing, ``object_id`` is empty, and ``record_id`` too if that
    cannot be read.

    Attributes:
        reason: One sentence that names the record's file and says what is wrong.
        error: The error itself, with the library's error as its cause.
    """

    record_id: str
    object_id: str
    title: str
    reason: str
    error: ManagedSyncError


Loaded: TypeAlias = SourceDocument | LoadFailure


def documents_only(
    loaded: Generator[Loaded], *, failures: list[LoadFailure], raise_on_failure: bool
) -> Generator[SourceDocument]:
    """The documents among what was loaded; what failed is logged and added to ``failures``.

    Raises:
        ManagedSyncError: Something failed, and ``raise_on_failure`` is set.
    """
    with closing(loaded):
        for one in loaded:
            if isinstance(one, SourceDocument):
                yield one
            else:
                note_failure(one, failures, raise_on_failure=raise_on_failure)


async def adocuments_only(
    loaded: AsyncGenerator[Loaded], *, failures: list[LoadFailure], raise_on_failure: bool
) -> AsyncGenerator[SourceDocument]:
    """The same, asynchronously.

    Raises:
        ManagedSyncError: Something failed, and ``raise_on_failure`` is set.
    """
    async with aclosing(loaded):
        async for one in loaded:
            if isinstance(one, SourceDocument):
                yield one
            else:
                note_failure(one, failures, raise_on_failure=raise_on_failure)


def note_failure(
    failure: LoadFailure, failures: list[LoadFailure], *, raise_on_failure: bool
) -> None:
    """Logs a failure and adds it to the others.

    Raises:
        ManagedSyncError: ``raise_on_failure`` is set.
    """
    if raise_on_failure:
        raise failure.error
    _logger.warning("Not loaded: %s", failure.reason)
    failures.append(failure)
