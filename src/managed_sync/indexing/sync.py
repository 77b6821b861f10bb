"""Keeps an index in step with a pipeline; see ``docs/decisions/0021-indexing-runs.md``.

Guarantees:

- New chunks are written before the old ones of the same record are removed.
- Nothing is removed unless the API itself says of the single record that it is gone, and shows
  that it sees the pipeline. A record that is only missing in a listing stays.
- A record that cannot be read stays in the index as it was, and is tried again by a later run.
- A run that stops anywhere is finished by the next one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from managed_sync.arguments import check_integer, check_number
from managed_sync.documents import Chunker, DocumentLoader, ParserChoice, RecordSource
from managed_sync.documents.loading.results import RecordLoader
from managed_sync.errors import ConfigurationError, ForbiddenError
from managed_sync.indexing.feed.absence import DeletionLimit
from managed_sync.indexing.feed.selection import Selection
from managed_sync.indexing.feed.versions import Version, version_of
from managed_sync.indexing.index_settings import IndexSettings
from managed_sync.indexing.report import (
    IndexProgress,
    IndexReport,
    RecordFailure,
    VerificationReport,
)
from managed_sync.indexing.session import Session, Setup
from managed_sync.indexing.targets.base import IndexTarget, checked_target
from managed_sync.indexing.targets.calls import Retries, TimedCalls

if TYPE_CHECKING:
    from managed_sync.keywords import KeywordIndex

__all__ = ["IndexSync"]

_DAY = 24 * 3600.0
_ALWAYS_ALLOWED_DELETIONS = 20


class IndexSync:
    """Brings an index up to date with the Sync API, at a cost that follows the change.

    Args:
        client: A client of the API.
        target: The index, such as a ``LangChainTarget``.
        ledger: A file that records what is in the index; keep it with the index. Or the URL of a
            PostgreSQL database, such as ``postgresql+psycopg://user@host/database``.
        loader: Loads the records; by default the same way as the frameworks' loaders.
        parser: The parser of the default loader, such as ``FileParser(ocr=["eng"])``; see
            ``DocumentLoader``. Not with ``loader``, which has its own.
        chunker: Splits the documents; by default into chunks of 512 tokens.
        batch_size: The most chunks in one call of the target.
        most_deletions: The share of the records in the index that one run may delete. Fewer than 20
            records may always be deleted, and any share with ``allow_deletions=True``.
        full_comparison_every: Seconds after which a run compares everything even if the API can
            list the changes since the last run, as the hosted one can. Only a full comparison finds
            deletions. The default is a day; with 0 every run is a full comparison.
        retries: The number of retries of a target that fails, and the waits between them.
        version: A function that returns a record's version as a string, or names of fields of its
            data that do not count. By default everything counts except links that a source
            generates for each listing.
        keywords: A keyword index to keep in step with the target. If the target holds chunks
            already, the next run copies them from there, as far as the store returns them;
            otherwise it reads their records again.

    Raises:
        ConfigurationError: An argument is out of range, or there are a loader and a parser.

    Examples:
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
        parser: ParserChoice | None = None,
        chunker: Chunker | None = None,
        batch_size: int = 128,
        most_deletions: float = 0.3,
        full_comparison_every: float = _DAY,
        retries: Retries | None = None,
        version: Version | Collection[str] | None = None,
        keywords: KeywordIndex | None = None,
    ) -> None:
        if loader is None:
            # The listing has shown that the token is good: what it does not open is one record.
            loader = DocumentLoader(client, parser=parser, of_one_record=[ForbiddenError])
        elif parser is not None:
            raise ConfigurationError(
                "Pass either loader or parser to IndexSync: a loader has a parser of its own."
            )
        chunker, retries = chunker or Chunker(), retries or Retries()
        self._setup = Setup(
            client=client,
            target=checked_target(target),
            ledger=ledger,
            loader=loader,
            chunker=chunker,
            batch_size=check_integer("batch_size", batch_size),
            retries=retries,
            timed=TimedCalls(retries.call_timeout),
            version=version_of(version),
            settings=IndexSettings(loader, chunker, target),
            keywords=keywords,
        )
        self._most_deletions = check_number("most_deletions", most_deletions, at_most=1)
        self._full_comparison_every = check_number(
            "full_comparison_every", full_comparison_every, is_finite=False, unit="seconds"
        )

    def run(
        self,
        *,
        integration: str,
        sync_type: str,
        on_progress: Callable[[IndexProgress], None] | None = None,
        dry_run: bool = False,
        allow_deletions: bool = False,
        rebuild: bool = False,
        full: bool = False,
        again: Collection[str] = (),
        wait: float = 0.0,
        stop: threading.Event | None = None,
    ) -> IndexReport:
        """Indexes what is new or changed, and removes what is gone.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            on_progress: Called a few times a second. If it fails, that is logged, and the run goes
                on without it.
            dry_run: Whether to compare only, and report what a run would do.
            allow_deletions: Whether any share of the records may be deleted.
            rebuild: Whether to index every record again, for example after a change of the parser,
                the chunker or the embedding model. Until the run ends, the index holds old and new
                chunks.
            full: Whether to compare everything even if the last full comparison was not long ago,
                and to retry failed records at once.
            again: Records to read again though they did not change, by id or by path in the source;
                and folders, by path, with everything below them, or by id.
            wait: Seconds to wait for another run on the same pipeline.
            stop: An event that ends the run after the work under way; the report then has
                ``complete=False``.

        Raises:
            ApiError: The listing could not be read whole; nothing was removed.
            IndexLockedError: Another run works on the same pipeline.
            SettingsChangedError: The index was built with other settings.
            AnotherUserError: The index was made with another connected user's token.
            DeletionsWithheldError: The listing lacks more records than may be deleted.
            ConfigurationError: ``again`` names a record or folder that does not exist.
            IndexingError: The index or the ledger failed; the next run goes on from there.
        """
        limit = self._limit(allow_deletions=allow_deletions)
        selection = Selection(again) if again else None
        with Session.open(self._setup, integration, sync_type, stop) as session:
            run = session.run(on_progress)
            if dry_run:
                self._setup.settings.check(session.ledger, rebuild=rebuild)
                return run.plan(limit, everything=rebuild, again=selection)
            with session.locked(wait):
                self._setup.settings.note(
                    session.ledger, rebuild=rebuild, probe=session.target().probe
                )
                session.verification().check_sample()
                if not full and not again and (cursor := run.cursor(self._full_comparison_every)):
                    report = run.resume(cursor, limit)
                    if report is not None:
                        return report
                return run.compare_all(limit, patient=not full, again=selection)

    async def arun(
        self,
        *,
        integration: str,
        sync_type: str,
        on_progress: Callable[[IndexProgress], None] | None = None,
        dry_run: bool = False,
        allow_deletions: bool = False,
        rebuild: bool = False,
        full: bool = False,
        again: Collection[str] = (),
        wait: float = 0.0,
        stop: threading.Event | None = None,
    ) -> IndexReport:
        """Runs ``run`` in a thread, where ``on_progress`` is called.

        When the task is cancelled, the run ends after the work under way.
        """
        stop = stop or threading.Event()
        run = partial(
            self.run,
            integration=integration,
            sync_type=sync_type,
            on_progress=on_progress,
            dry_run=dry_run,
            allow_deletions=allow_deletions,
            rebuild=rebuild,
            full=full,
            again=again,
            wait=wait,
            stop=stop,
        )
        running = asyncio.ensure_future(asyncio.to_thread(run))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            stop.set()
            await asyncio.wait([running])
            raise

    def apply(
        self,
        record_ids: Collection[str],
        *,
        integration: str,
        sync_type: str,
        expected: Collection[str] = (),
        allow_deletions: bool = False,
        wait: float = 60.0,
        stop: threading.Event | None = None,
    ) -> IndexReport:
        """Brings single records up to date, such as those that a webhook names.

        Each record is read from the API, with its content, so you can call this twice, late, or for
        records that did not change. A record that is gone is removed if the API itself says so and
        sees the pipeline's other records. A record that cannot be read is put aside (see
        ``failures``), and the others are not affected.

        Args:
            record_ids: The records' ids; ids of other pipelines are ignored.
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            expected: Records that should exist. One that the API does not have stays in the index
                and is named in the report's ``unconfirmed``, so that you can ask for it again.
            allow_deletions: Whether any share of the records may be deleted.
            wait: Seconds to wait for another run on the same pipeline.
            stop: An event that ends it after the work under way.

        Raises:
            ApiError: No record could be read, or the API cannot be used.
            IndexLockedError: Another run works on the same pipeline.
            SettingsChangedError: The index was built with other settings.
            AnotherUserError: The index was made with another connected user's token.
            DeletionsWithheldError: More records are gone than may be deleted.
            IndexingError: The index or the ledger failed.
        """
        with self._locked(integration, sync_type, wait, stop) as session:
            self._setup.settings.note(session.ledger)
            return session.run().apply(
                dict.fromkeys(record_ids),
                self._limit(allow_deletions=allow_deletions),
                expected=expected,
            )

    def failures(self, *, integration: str, sync_type: str) -> list[RecordFailure]:
        """Returns the records that are put aside, with the reasons.

        Raises:
            IndexingError: The ledger failed.
        """
        with Session.open(self._setup, integration, sync_type) as session:
            return session.ledger.failures()

    def retry(
        self,
        record_ids: Collection[str] | None = None,
        *,
        integration: str,
        sync_type: str,
        wait: float = 60.0,
        stop: threading.Event | None = None,
    ) -> IndexReport:
        """Retries records that are put aside now, without waiting for their time.

        Args:
            record_ids: The records, which may have been dismissed; by default all failures.
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            wait: Seconds to wait for another run on the same pipeline.
            stop: An event that ends it after the work under way.

        Raises:
            ManagedSyncError: As ``apply`` does.
        """
        if record_ids is None:
            failures = self.failures(integration=integration, sync_type=sync_type)
            record_ids = [failure.record_id for failure in failures]
        return self.apply(
            record_ids, integration=integration, sync_type=sync_type, wait=wait, stop=stop
        )

    def dismiss(
        self,
        record_ids: Collection[str] | None = None,
        *,
        integration: str,
        sync_type: str,
        wait: float = 60.0,
    ) -> int:
        """Dismisses records that are put aside: they are neither retried nor reported any more.

        The index keeps what it holds of them. A new version of such a record is indexed as usual.

        Args:
            record_ids: The records; by default all.
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            wait: Seconds to wait for another run on the same pipeline.

        Returns:
            The number of dismissed records.

        Raises:
            IndexLockedError: Another run works on the same pipeline.
            IndexingError: The ledger failed.
        """
        with self._locked(integration, sync_type, wait) as session:
            if record_ids is None:
                record_ids = [failure.record_id for failure in session.ledger.failures()]
            return session.ledger.dismiss(record_ids)

    def verify(
        self,
        *,
        integration: str,
        sync_type: str,
        repair: bool = False,
        remove_unknown: bool = False,
        wait: float = 0.0,
    ) -> VerificationReport:
        """Compares the index, the ledger and the source with each other.

        Args:
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            repair: Whether to repair disagreements: missing chunks are written, chunks that records
                do not need any more are removed, and a full run follows.
            remove_unknown: Whether a repair also removes the pipeline's chunks of records that
                neither the ledger nor the API knows. Use it only if no other ledger, such as one of
                another connected user, writes into the same collection: they would be its chunks.
            wait: Seconds to wait for another run on the same pipeline.

        Raises:
            ConfigurationError: ``remove_unknown`` without ``repair``.
            ApiError: The source could not be listed.
            IndexLockedError: Another run works on the same pipeline.
            SettingsChangedError: With ``repair``, the index was built with other settings.
            IndexingError: The index or the ledger failed.
        """
        if remove_unknown and not repair:
            raise ConfigurationError(
                "remove_unknown=True (--remove-unknown) is part of a repair: add repair=True "
                "(--repair)."
            )
        with self._locked(integration, sync_type, wait) as session:
            if repair:
                self._setup.settings.note(session.ledger)
            limit = self._limit(allow_deletions=False)
            verification = session.verification()
            report = verification.report(session.run().plan(limit, everything=False))
            if not repair:
                return report
            verification.prepare_repair()
            repaired = session.run().compare_all(limit, patient=False)
            if remove_unknown:
                verification.remove_unknown()
            return report.repaired_by(repaired)

    @contextmanager
    def _locked(
        self, integration: str, sync_type: str, wait: float, stop: threading.Event | None = None
    ) -> Iterator[Session]:
        with (
            Session.open(self._setup, integration, sync_type, stop) as session,
            session.locked(wait),
        ):
            yield session

    def _limit(self, *, allow_deletions: bool) -> DeletionLimit:
        share = None if allow_deletions else self._most_deletions
        return DeletionLimit(share, always_allowed=_ALWAYS_ALLOWED_DELETIONS)
