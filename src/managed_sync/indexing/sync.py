"""Keeps an index in step with a pipeline.

What this module promises:

- New chunks are written before the old ones of the same record are removed.
- Nothing is removed unless the API listed the whole pipeline without it.
- A record that cannot be read stays in the index as it was, and is tried again by the next run.
- A run that stops anywhere is finished by the next one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from managed_sync.documents import (
    Chunker,
    DocumentLoader,
    LoadFailure,
    RecordSource,
    SourceDocument,
)
from managed_sync.errors import EmptyContentError, IndexingError
from managed_sync.indexing.ledger import Ledger, Pipeline
from managed_sync.indexing.targets import IndexTarget
from managed_sync.models import SyncedRecord

__all__ = ["IndexReport", "IndexSync", "RecordLoader"]


class RecordLoader(Protocol):
    """Turns records into documents; the loaders of both frameworks do."""

    def load_records(
        self, records: Iterable[SyncedRecord]
    ) -> Iterator[SourceDocument | LoadFailure]:
        """One document, or the reason why there is none, for each record that is not a folder."""


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What a run did.

    Attributes:
        added: Records that are new in the index.
        updated: Records that were indexed again since they changed.
        unchanged: Records that had not changed.
        deleted: Records removed, since the source no longer has them.
        failed: Records that could not be read; what the index held of them is still there.
        chunks_written: Chunks embedded and written.
        seconds: How long it took.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    failed: tuple[LoadFailure, ...] = field(default=())
    chunks_written: int = 0
    seconds: float = 0.0


class IndexSync:
    """Brings an index up to date with the Sync API, at a cost that follows the change.

    Args:
        client: Where the records are.
        target: The index, such as a ``LangChainTarget``.
        ledger: A file that remembers what is in the index. Keep it with the index.
        loader: Loads the records; by default the same way as the frameworks' loaders.
        chunker: Splits the documents; by default into chunks of 512 tokens.

    Example:
        ```python
        sync = IndexSync(client, LangChainTarget(store), ledger="state.db")
        report = sync.run(integration="googleDrive", sync_type="files")
        print(f"{report.added} added, {report.updated} updated, {report.deleted} deleted")
        ```
    """

    def __init__(
        self,
        client: RecordSource,
        target: IndexTarget,
        ledger: str | Path,
        *,
        loader: RecordLoader | None = None,
        chunker: Chunker | None = None,
    ) -> None:
        self._client = client
        self._target = target
        self._ledger_path = ledger
        self._loader = loader or DocumentLoader(client)
        self._chunker = chunker or Chunker()

    def run(
        self,
        *,
        integration: str,
        sync_type: str,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> IndexReport:
        """Indexes what is new or changed, and removes what is gone.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            on_progress: Called with the number of records done and the number to do.

        Raises:
            ApiError: The listing could not be read whole; nothing was removed.
            IndexingError: The index or the ledger failed; the next run goes on from there.
        """
        started = time.perf_counter()
        pipeline = Pipeline(self._client.project_id, integration, sync_type)
        with Ledger(self._ledger_path) as ledger:
            listing = {
                record.id: record for record in self._client.iter_records(integration, sync_type)
            }
            known = ledger.versions(pipeline)
            versions = {record_id: _version(record) for record_id, record in listing.items()}
            changed = [
                record
                for record_id, record in listing.items()
                if not record.is_folder and known.get(record_id) != versions[record_id]
            ]
            run = _Run(ledger, pipeline, self._target, self._chunker)
            done = _Progress(len(changed), on_progress)
            for loaded in self._loader.load_records(done.each(changed)):
                run.apply(loaded, versions)
            done.finish()
            for record_id in known.keys() - listing.keys():
                run.remove(record_id)
        return IndexReport(
            added=sum(known.get(record_id) is None for record_id in run.indexed),
            updated=sum(known.get(record_id) is not None for record_id in run.indexed),
            unchanged=sum(known.get(key) == version for key, version in versions.items()),
            deleted=run.deleted,
            failed=tuple(run.failed),
            chunks_written=run.chunks_written,
            seconds=time.perf_counter() - started,
        )


@dataclass(slots=True)
class _Run:
    """Applies one record after another, and counts."""

    ledger: Ledger
    pipeline: Pipeline
    target: IndexTarget
    chunker: Chunker
    indexed: list[str] = field(default_factory=list)
    failed: list[LoadFailure] = field(default_factory=list)
    deleted: int = 0
    chunks_written: int = 0

    def apply(self, loaded: SourceDocument | LoadFailure, versions: dict[str, str]) -> None:
        if isinstance(loaded, SourceDocument):
            record_id = str(loaded.metadata["record_id"])
            self._replace(record_id, loaded, versions[record_id])
        else:
            self._note_failure(loaded)

    def remove(self, record_id: str) -> None:
        chunk_ids = self.ledger.chunk_ids(self.pipeline, record_id)
        self._delete(chunk_ids)
        self.ledger.forget(self.pipeline, record_id)
        self.deleted += 1

    def _replace(self, record_id: str, document: SourceDocument, version: str) -> None:
        chunks = self.chunker.split(document)
        chunk_ids = {chunk.chunk_id for chunk in chunks}
        present = self.ledger.chunk_ids(self.pipeline, record_id)
        self.ledger.begin(self.pipeline, record_id, chunk_ids)
        if chunks:
            with _target_errors("written to"):
                self.target.upsert(chunks, present=present & chunk_ids)
        stale = present - chunk_ids
        self._delete(stale)
        self.ledger.finish(self.pipeline, record_id, version, sorted(stale))
        self.indexed.append(record_id)
        self.chunks_written += len(chunks)

    def _note_failure(self, failure: LoadFailure) -> None:
        if isinstance(failure.error, EmptyContentError):
            # The source says that there is no text now, so the old text must not be found.
            self._delete(self.ledger.chunk_ids(self.pipeline, failure.record_id))
            self.ledger.forget(self.pipeline, failure.record_id)
        self.ledger.fail(self.pipeline, failure.record_id, failure.reason)
        self.failed.append(failure)

    def _delete(self, chunk_ids: set[str]) -> None:
        if chunk_ids:
            with _target_errors("deleted from"):
                self.target.delete(sorted(chunk_ids))


@dataclass(slots=True)
class _Progress:
    """Counts records as the loader takes them."""

    total: int
    report: Callable[[int, int], None] | None

    def each(self, records: list[SyncedRecord]) -> Iterator[SyncedRecord]:
        for done, record in enumerate(records):
            self._say(done)
            yield record

    def finish(self) -> None:
        self._say(self.total)

    def _say(self, done: int) -> None:
        if self.report is not None:
            self.report(done, self.total)


@contextmanager
def _target_errors(action: str) -> Iterator[None]:
    """Turns whatever a vector store raises into ``IndexingError``."""
    try:
        yield
    except IndexingError:
        raise
    except Exception as error:
        raise IndexingError(
            f"The index could not be {action}: {error}. What it held is still there; run again "
            f"when the cause is mended."
        ) from error


def _version(record: SyncedRecord) -> str:
    """A digest of everything of a record that its document depends on; permissions are not."""
    parts = record.model_dump(mode="json", exclude={"permissions"})
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
