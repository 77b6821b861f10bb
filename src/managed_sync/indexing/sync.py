"""Keeps an index in step with a pipeline.

Guarantees:

- New chunks are written before the old ones of the same record are removed.
- Nothing is removed unless the API itself says of the single record that it is gone, and shows
  that it sees the pipeline. What only is missing in a listing stays.
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

from managed_sync.arguments import check_integer, check_number
from managed_sync.documents import Chunker, DocumentLoader, RecordSource
from managed_sync.errors import ConfigurationError, ForbiddenError
from managed_sync.indexing.feed.absence import Guard
from managed_sync.indexing.feed.feed import Feed
from managed_sync.indexing.feed.selection import Selection
from managed_sync.indexing.feed.versions import Version, version_of
from managed_sync.indexing.index_settings import IndexSettings
from managed_sync.indexing.ledger.ledger import Ledger, PipelineLedger
from managed_sync.indexing.ledger.locks import locked
from managed_sync.indexing.ledger.model import Pipeline
from managed_sync.indexing.report import IndexProgress, IndexReport, RecordFailure
from managed_sync.indexing.run import RecordLoader, Run
from managed_sync.indexing.targets.base import IndexTarget
from managed_sync.indexing.targets.patience import Retries, TimedCalls
from managed_sync.indexing.targets.retrying import PersistentTarget
from managed_sync.indexing.verify import Verification, VerificationReport

__all__ = ["IndexSync"]

_DAY = 24 * 3600.0
_FEWEST_MISSING = 20


class IndexSync:
    """Brings an index up to date with the Sync API, at a cost that follows the change.

    Args:
        client: Where the records are.
        target: The index, such as a ``LangChainTarget``.
        ledger: A file that remembers what is in the index; keep it with the index. Or the URL of a
            PostgreSQL database, such as ``postgresql+psycopg://user@host/database``.
        loader: Loads the records; by default the same way as the frameworks' loaders.
        chunker: Splits the documents; by default into chunks of 512 tokens.
        batch_size: Chunks in one call of the target, at most.
        most_deletions: The share of the records in the index that one run may delete, unless it is
            fewer than 20 records or the run is told otherwise.
        full_comparison_every: Seconds after which a run compares everything even where the API
            can list what changed since the last run, as the hosted one can: only that finds
            deletions. By default a day; 0 means that every run does.
        retries: How often a target that fails is asked again.
        version: What counts as another version of a record: a function that gives its version as
            a string, or names of fields of its data that do not count. By default everything counts
            but links that sources make anew for each listing.

    Raises:
        ConfigurationError: An argument makes no sense.

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
        chunker: Chunker | None = None,
        batch_size: int = 128,
        most_deletions: float = 0.3,
        full_comparison_every: float = _DAY,
        retries: Retries | None = None,
        version: Version | Collection[str] | None = None,
    ) -> None:
        self._client = client
        self._target = target
        self._ledger_place = ledger
        # The listing has shown that the token is good: what it does not open is a single record.
        self._loader = loader or DocumentLoader(client, of_one_record=[ForbiddenError])
        self._chunker = chunker or Chunker()
        self._batch_size = check_integer("batch_size", batch_size)
        self._most_deletions = check_number("most_deletions", most_deletions, at_most=1)
        self._full_comparison_every = check_number(
            "full_comparison_every", full_comparison_every, is_finite=False, unit="seconds"
        )
        self._retries = retries or Retries()
        self._calls = TimedCalls(self._retries.call_timeout)
        self._version = version_of(version)
        self._settings = IndexSettings(self._loader, self._chunker, target)

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
            dry_run: Whether to compare only, and report what would be done.
            allow_deletions: Whether any share of the records may be deleted.
            rebuild: Whether to index every record anew, as after a change of the parser, the
                chunker or the embedding model. Until it is through, the index holds old and new.
            full: Whether to compare everything even if the last full comparison was not long ago,
                and to try at once again what failed.
            again: Records to read again though they did not change, by id or by path in the source;
                and folders, by path, with all below them, or by id.
            wait: Seconds to wait for another run on the same pipeline.
            stop: When this is set, the run ends after what is under way; its report says so.

        Raises:
            ApiError: The listing could not be read whole; nothing was removed.
            IndexLockedError: Another run works on the same pipeline.
            SettingsChangedError: The index was built with other settings.
            AnotherUserError: The index was made with another connected user's token.
            DeletionsWithheldError: The listing lacks more records than seems right.
            ConfigurationError: Nothing is called as ``again`` says.
            IndexingError: The index or the ledger failed; the next run goes on from there.
        """
        stop = stop or threading.Event()
        guard = self._guard(allow_deletions=allow_deletions)
        selection = Selection(again) if again else None
        pipeline = self._pipeline(integration, sync_type)
        with Ledger(self._ledger_place) as place:
            ledger = place.of(pipeline)
            run = self._new_run(ledger, on_progress, stop)
            if dry_run:
                self._settings.check(ledger, rebuild=rebuild)
                return run.look(guard, anew=rebuild, again=selection)
            with locked(ledger, wait=wait, stop=stop):
                self._settings.note(
                    ledger, rebuild=rebuild, probe=self._persistent(ledger, stop).probe
                )
                self._verification(ledger, stop).check_sample()
                if not full and not again and (cursor := run.cursor(self._full_comparison_every)):
                    report = run.resume(cursor, guard)
                    if report is not None:
                        return report
                return run.compare_all(guard, patient=not full, again=selection)

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
        """The same as ``run``, in a thread; ``on_progress`` is called there.

        When the task is cancelled, the run ends after what is under way.
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

        Each one is read from the API, with its content: so it does no harm to call this twice,
        late, or for records that did not change. A record that is gone is removed if the API itself
        says so and sees the pipeline's other records. One that cannot be read is put aside (see
        ``failures``), and the others are not affected.

        Args:
            record_ids: The records' ids; those of other pipelines are left out.
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            expected: Those among them that should be there: one that is not stays, and is named in
                the report's ``unconfirmed``, so that you can ask for it again.
            allow_deletions: Whether any share of the records may be deleted.
            wait: Seconds to wait for another run on the same pipeline.
            stop: Ends it after what is under way, when it is set.

        Raises:
            ApiError: No record could be read, or the API cannot be used.
            IndexLockedError: Another run works on the same pipeline.
            SettingsChangedError: The index was built with other settings.
            AnotherUserError: The index was made with another connected user's token.
            DeletionsWithheldError: More records are gone than seems right.
            IndexingError: The index or the ledger failed.
        """
        stop = stop or threading.Event()
        with self._locked(integration, sync_type, wait, stop) as ledger:
            self._settings.note(ledger)
            return self._new_run(ledger, None, stop).apply(
                dict.fromkeys(record_ids),
                self._guard(allow_deletions=allow_deletions),
                expected=expected,
            )

    def failures(self, *, integration: str, sync_type: str) -> list[RecordFailure]:
        """Returns the records that are put aside, with the reasons.

        Raises:
            IndexingError: The ledger failed.
        """
        with Ledger(self._ledger_place) as place:
            return place.of(self._pipeline(integration, sync_type)).failures()

    def retry(
        self,
        record_ids: Collection[str] | None = None,
        *,
        integration: str,
        sync_type: str,
        wait: float = 60.0,
        stop: threading.Event | None = None,
    ) -> IndexReport:
        """Tries records that are put aside again now, without waiting for their time.

        Args:
            record_ids: Some of them, or of those that were dismissed; by default all failures.
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            wait: Seconds to wait for another run on the same pipeline.
            stop: Ends it after what is under way, when it is set.

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
        """Gives records up that are put aside: they are neither tried nor reported any more.

        What the index holds of them stays. A new version of such a record is indexed as any other.

        Args:
            record_ids: Some of them; by default all.
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            wait: Seconds to wait for another run on the same pipeline.

        Returns:
            How many there were.

        Raises:
            IndexLockedError: Another run works on the same pipeline.
            IndexingError: The ledger failed.
        """
        with self._locked(integration, sync_type, wait) as ledger:
            if record_ids is None:
                record_ids = [failure.record_id for failure in ledger.failures()]
            return ledger.dismiss(record_ids)

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
            repair: Whether to put right what does not agree: chunks that are missing in the index
                are written, those that records do not need any more are removed, and a full run
                follows.
            remove_unknown: Whether a repair also removes the pipeline's chunks of records that
                neither the ledger nor the API knows. Only if no other ledger, such as another
                connected user's, writes into the same collection: they would be its chunks.
            wait: Seconds to wait for another run on the same pipeline.

        Raises:
            ConfigurationError: ``remove_unknown`` without ``repair``.
            ApiError: The source could not be listed.
            IndexLockedError: Another run works on the same pipeline.
            SettingsChangedError: It is to be repaired, and was built with other settings.
            IndexingError: The index or the ledger failed.
        """
        if remove_unknown and not repair:
            raise ConfigurationError("remove_unknown=True is part of a repair: add repair=True.")
        with self._locked(integration, sync_type, wait) as ledger:
            if repair:
                self._settings.note(ledger)
            stop = threading.Event()
            feed = Feed(self._client, ledger.pipeline)
            run = self._new_run(ledger, None, stop, feed)
            verification = self._verification(ledger, stop, feed)
            guard = self._guard(allow_deletions=False)
            report = verification.report(run.look(guard, anew=False))
            if not repair:
                return report
            verification.prepare_repair()
            repaired = self._new_run(ledger, None, stop, feed).compare_all(guard, patient=False)
            if remove_unknown:
                verification.remove_unknown()
            return report.repaired_by(repaired)

    @contextmanager
    def _locked(
        self, integration: str, sync_type: str, wait: float, stop: threading.Event | None = None
    ) -> Iterator[PipelineLedger]:
        with Ledger(self._ledger_place) as place:
            ledger = place.of(self._pipeline(integration, sync_type))
            with locked(ledger, wait=wait, stop=stop):
                yield ledger

    def _verification(
        self, ledger: PipelineLedger, stop: threading.Event, feed: Feed | None = None
    ) -> Verification:
        feed = feed or Feed(self._client, ledger.pipeline)
        return Verification(ledger, self._target, self._persistent(ledger, stop), feed)

    def _pipeline(self, integration: str, sync_type: str) -> Pipeline:
        return Pipeline(self._client.project_id, integration, sync_type)

    def _guard(self, *, allow_deletions: bool) -> Guard:
        return Guard(None if allow_deletions else self._most_deletions, _FEWEST_MISSING)

    def _persistent(self, ledger: PipelineLedger, stop: threading.Event) -> PersistentTarget:
        return PersistentTarget(
            self._target,
            batch_size=self._batch_size,
            retries=self._retries,
            stop=stop,
            calls=self._calls,
            before_each_call=ledger.database.require_connection,
        )

    def _new_run(
        self,
        ledger: PipelineLedger,
        tell: Callable[[IndexProgress], None] | None,
        stop: threading.Event,
        feed: Feed | None = None,
    ) -> Run:
        return Run(
            ledger,
            feed or Feed(self._client, ledger.pipeline),
            self._loader,
            self._persistent(ledger, stop),
            self._chunker.split,
            version=self._version,
            tell=tell,
            stop=stop,
        )
