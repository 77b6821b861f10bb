"""The results of a load: a document or a failure for each record."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from managed_sync.documents.model import SourceDocument
from managed_sync.errors import ManagedSyncError
from managed_sync.logs import get_logger
from managed_sync.models import SyncedRecord

__all__ = [
    "LoadFailure",
    "Loaded",
    "RecordLoader",
    "adocuments_only",
    "documents_only",
    "load_jobs",
    "note_failure",
]

_logger = get_logger(__name__)

_Job = TypeVar("_Job")


@dataclass(frozen=True)
class LoadFailure:
    """A record that did not become a document.

    ``object_id`` is empty for a record that is malformed in the listing, and ``record_id`` too if
    the id cannot be read.

    Attributes:
        reason: One sentence that names the record and the cause.
        error: The error itself, with the library's error as its cause.
    """

    record_id: str
    object_id: str
    title: str
    reason: str
    error: ManagedSyncError


Loaded: TypeAlias = SourceDocument | LoadFailure


class RecordLoader(Protocol):
    """An object that turns records into documents, such as the loaders of both frameworks."""

    def load_records(self, records: Iterable[SyncedRecord]) -> Iterator[Loaded]:
        """Yields a document, with its parts, or a failure for each record but folders."""


def load_jobs(
    loader: RecordLoader, jobs: Iterable[tuple[SyncedRecord, _Job]]
) -> Generator[tuple[Loaded, _Job]]:
    """Loads records; each result comes with the value that was passed with its record.

    The loaders of this package carry the value along. For any other loader, also for a subclass
    that overrides only ``load_records``, results are matched with records by their ids.

    Args:
        loader: The loader.
        jobs: Records, each with any value.
    """
    if _carries_jobs(loader):
        yield from loader.load_jobs(jobs)  # type: ignore[attr-defined]  # checked by name
        return
    waiting: dict[str, _Job] = {}

    def records() -> Iterator[SyncedRecord]:
        """Yields the records and remembers the value of each."""
        for record, job in jobs:
            waiting[record.id] = job
            yield record

    for loaded in loader.load_records(records()):
        yield loaded, waiting.pop(loaded.record_id)


def _carries_jobs(loader: object) -> bool:
    """Tells whether the object or class that defines ``load_records`` defines ``load_jobs``, too.

    Otherwise ``load_jobs`` could be inherited, and would bypass the caller's ``load_records``.
    """
    for definer in (loader, *type(loader).__mro__):
        names = getattr(definer, "__dict__", {})
        if "load_records" in names:
            return "load_jobs" in names
    return False


def documents_only(
    loaded: Generator[Loaded], *, failures: list[LoadFailure], raise_on_failure: bool
) -> Generator[SourceDocument]:
    """Yields the documents, each followed by the documents of its parts.

    A failure is logged and added to ``failures``.

    Raises:
        ManagedSyncError: A record failed, and ``raise_on_failure`` is set.
    """
    with closing(loaded):
        for result in loaded:
            if isinstance(result, SourceDocument):
                yield from result.documents()
            else:
                note_failure(result, failures, raise_on_failure=raise_on_failure)


async def adocuments_only(
    loaded: AsyncGenerator[Loaded], *, failures: list[LoadFailure], raise_on_failure: bool
) -> AsyncGenerator[SourceDocument]:
    """Does the same asynchronously.

    Raises:
        ManagedSyncError: A record failed, and ``raise_on_failure`` is set.
    """
    async with aclosing(loaded):
        async for result in loaded:
            if isinstance(result, SourceDocument):
                for document in result.documents():
                    yield document
            else:
                note_failure(result, failures, raise_on_failure=raise_on_failure)


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
