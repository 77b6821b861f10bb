"""The pipelines at work: enabled, scheduled, synced in the background, one sync at a time each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from threading import Event, Lock
from time import monotonic
from typing import Literal

from sqlalchemy.exc import DBAPIError

from managed_sync.errors import SourceError, StateInUseError
from managed_sync.logs import get_logger
from managed_sync.models import SyncState, SyncStatus
from managed_sync.server.domain import PipelineName, Scope
from managed_sync.server.graph.engine import PermissionEngine, PermissionEngineError
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.sources.model import Contents
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import (
    Pipeline,
    delete_pipeline,
    disable_pipeline,
    enable_pipeline,
    find_pipeline,
    pipeline_at_work,
    pipelines_of_project,
    pipelines_of_scope,
    removed_relations,
    save_failure,
    save_started,
)
from managed_sync.server.sync.pipeline_sync import PipelineGoneError, synchronize
from managed_sync.server.sync.timetable import Timetable, parse_frequency
from managed_sync.server.troubles import (
    TroubleError,
    concerns_one_file,
    database_trouble,
    system_trouble,
)

__all__ = ["Pipelines", "SyncResult", "UnknownPipelineError"]

_log = get_logger("managed_sync.server")

_THREADS = 4
_STOP_SECONDS = 5

SyncResult = Literal["done", "failed", "abandoned"]


class UnknownPipelineError(LookupError):
    """The source has no such pipeline, or it is not enabled; the message says what there is."""


class _StoppedError(Exception):
    """The server stops, so the sync is given up; the next start takes it up again."""


class Pipelines:
    """Runs the pipelines of one project.

    Args:
        database: Where pipelines, records and permissions are kept.
        engine: Evaluates the permissions.
        source: Where they come from.
        project_id: The project.
        contents: Takes a copy of every content; ``None`` where contents stay in the source.
        write_seconds: How long a request that writes waits for others who write.
        note_end: Told how each sync ended, and how many seconds it took.
    """

    def __init__(
        self,
        database: Database,
        engine: PermissionEngine,
        source: FolderSource,
        project_id: str,
        *,
        contents: Contents | None = None,
        write_seconds: float = 10,
        note_end: Callable[[SyncResult, float], None] | None = None,
    ) -> None:
        self._database = database
        self._engine = engine
        self._source = source
        self._project_id = project_id
        self._contents = contents
        self._write_seconds = write_seconds
        self._note_end = note_end
        self._timetable = Timetable(self._request_sync)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="managed-sync")
        self._stopping = Event()
        self._lock = Lock()
        self._read_so_far: dict[int, int] = {}
        self._wanted_again: set[int] = set()
        self._running: set[Future[None]] = set()
        # Failures that the database could not take, which may be what failed.
        self._unsaved_failures: dict[int, str] = {}

    def start(self) -> None:
        """Takes up the work where the last run of the server left it."""
        self._timetable.start()
        with self._database.reading() as connection:
            pipelines = pipelines_of_project(connection, self._project_id)
        for pipeline in pipelines:
            if pipeline.status is SyncState.DISABLED:
                continue
            self._schedule(pipeline)
            if pipeline.status is SyncState.SYNCING:
                self._request_sync(pipeline.id)

    def stop(self) -> None:
        """Stops schedule and syncs; a sync under way is given up, which changes nothing."""
        self._stopping.set()
        self._timetable.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        # One may wait for something outside, such as a folder of the network that is gone.
        with self._lock:
            running = list(self._running)
        if wait(running, _STOP_SECONDS).not_done:
            _log.warning("A sync does not end; it is left behind and publishes nothing")

    def enable(
        self,
        scope: Scope,
        name: PipelineName,
        frequency: str | None = None,
        configuration_name: str | None = None,
    ) -> SyncStatus:
        """Enables a pipeline and syncs it now; again when it was enabled before.

        A sync that is under way is followed by another one, which sees all that is there now.

        Raises:
            UnknownPipelineError: The source has no such pipeline.
            ValueError: The frequency is none.
        """
        if frequency is not None:
            parse_frequency(frequency)
        with self._database.reading() as connection:
            enabled = find_pipeline(connection, scope, name)
        if enabled is None:
            self.require_in_source(name)
        with self._database.writing(self._write_seconds) as connection:
            pipeline = enable_pipeline(connection, scope, name, frequency, configuration_name)
        self._schedule(pipeline)
        self._request_sync(pipeline.id)
        return self._status_of(pipeline, active=True)

    def disable(self, pipeline: Pipeline) -> None:
        """Stops a pipeline; the records that it brought stay as they are.

        Who may read them still follows ``permissions.yaml``: the syncs of other pipelines see to
        that. A sync that is under way is given up.
        """
        with self._database.writing(self._write_seconds) as connection:
            disable_pipeline(connection, pipeline)
        self._timetable.remove(pipeline.id)

    def delete(self, pipeline: Pipeline) -> None:
        """Removes a pipeline with all that it brought. A sync that is under way is given up."""
        try:
            with (
                self._engine.publishing(pipeline.scope) as publication,
                self._database.writing(self._write_seconds) as connection,
            ):
                publication.take(lambda: removed_relations(connection, pipeline))
                delete_pipeline(connection, pipeline)
        except PermissionEngineError as error:
            # It is removed; and until the engine has learnt that, it answers nothing.
            _log.error("A pipeline was deleted, but: %s", error)
        self._timetable.remove(pipeline.id)

    def of(self, scope: Scope) -> list[tuple[Pipeline, SyncStatus]]:
        """The pipelines of a connected user, and what each is doing."""
        active = self._active()
        with self._database.reading() as connection:
            found = pipelines_of_scope(connection, scope)
        return [(one, self._status_of(one, active=one.id in active)) for one in found]

    def status(self, scope: Scope, name: PipelineName) -> SyncStatus:
        """What a pipeline is doing.

        Raises:
            UnknownPipelineError: The source has no such pipeline, and it was never enabled.
        """
        active = self._active()
        with self._database.reading() as connection:
            pipeline = find_pipeline(connection, scope, name)
        if pipeline is not None:
            return self._status_of(pipeline, active=pipeline.id in active)
        self.require_in_source(name)
        return SyncStatus(
            integration=name.integration, sync_type=name.sync_type, status=SyncState.DISABLED
        )

    def in_source(self) -> tuple[PipelineName, ...]:
        """The pipelines that the source has material for."""
        return self._source.pipelines()

    def require_in_source(self, name: PipelineName) -> None:
        """Makes sure that the source has a pipeline.

        Raises:
            UnknownPipelineError: It has not.
        """
        existing = self._source.pipelines()
        if name not in existing:
            names = ", ".join(map(str, existing)) or "none, as the folder holds no material"
            raise UnknownPipelineError(f"There is no pipeline {name}; there are: {names}.")

    def _active(self) -> set[int]:
        # Asked before the database is: a sync writes its end first and counts as active until
        # then, so that nobody sees the end of one sync while the next is still to come.
        with self._lock:
            return set(self._read_so_far)

    def _status_of(self, pipeline: Pipeline, *, active: bool) -> SyncStatus:
        status, error, count = pipeline.status, pipeline.error, pipeline.record_count
        with self._lock:
            unsaved = self._unsaved_failures.get(pipeline.id)
        if active and status is not SyncState.DISABLED:
            status, error = SyncState.SYNCING, None
            with self._lock:
                count = max(count, self._read_so_far.get(pipeline.id, 0))
        elif unsaved is not None and status is not SyncState.DISABLED:
            status, error = SyncState.ERROR, unsaved
        # One that is marked as syncing and is not active is about to be: it was just enabled.
        return SyncStatus(
            integration=pipeline.name.integration,
            sync_type=pipeline.name.sync_type,
            status=status,
            last_synced_at=pipeline.last_synced_at,
            record_count=count,
            error=error if status is SyncState.ERROR else None,
            warnings=pipeline.warnings,
        )

    def _schedule(self, pipeline: Pipeline) -> None:
        if pipeline.frequency is None:
            return
        every = parse_frequency(pipeline.frequency)
        first = every
        if pipeline.last_synced_at is not None:
            # What fell due while the server was down is due now. A last sync in the future is one
            # by a clock that was ahead, and no reason to wait for longer than always.
            first = min(every, pipeline.last_synced_at + every - datetime.now(UTC))
        self._timetable.put(
            pipeline.id, every=every.total_seconds(), first=max(0.0, first.total_seconds())
        )

    def _request_sync(self, pipeline_id: int) -> None:
        with self._lock:
            if self._stopping.is_set():
                return
            if pipeline_id in self._read_so_far:
                self._wanted_again.add(pipeline_id)
                return
            self._read_so_far[pipeline_id] = 0
            try:
                running = self._threads.submit(self._run, pipeline_id)
            except BaseException:
                # The system gives no more threads: it must not count as active for ever.
                self._note_interruption(pipeline_id)
                raise
            self._running.add(running)
        running.add_done_callback(self._note_done)

    def _note_interruption(self, pipeline_id: int) -> None:
        """Notes, under the lock, that a sync ended without having saved how."""
        del self._read_so_far[pipeline_id]
        self._unsaved_failures[pipeline_id] = "The sync was interrupted; enable the pipeline again."

    def _note_done(self, running: Future[None]) -> None:
        with self._lock:
            self._running.discard(running)

    def _run(self, pipeline_id: int) -> None:
        again = True
        while again:
            try:
                self._sync(pipeline_id)
            except BaseException:
                with self._lock:
                    self._note_interruption(pipeline_id)
                raise
            with self._lock:
                again = pipeline_id in self._wanted_again and not self._stopping.is_set()
                self._wanted_again.discard(pipeline_id)
                if not again:
                    del self._read_so_far[pipeline_id]

    def _sync(self, pipeline_id: int) -> None:
        begin = monotonic()
        result: SyncResult = "failed"
        try:
            self._synchronize(pipeline_id)
            result = "done"
        except _StoppedError:
            result = "abandoned"
            _log.info("A sync was given up because the server stops")
        except PipelineGoneError:
            result = "abandoned"
            _log.info("A sync was given up because its pipeline was disabled or deleted")
        except StateInUseError as error:
            # Nothing is written into what another server works with.
            _log.error("A sync failed: %s", error)
            with self._lock:
                self._unsaved_failures[pipeline_id] = str(error)
        except (SourceError, PermissionEngineError, TroubleError) as error:
            _log.error("A sync failed: %s", error)
            self._fail(pipeline_id, str(error))
        except Exception as error:  # noqa: BLE001 - a pipeline must not end in silence
            _log.exception("A sync failed")
            self._fail(pipeline_id, _reason(error))
        if self._note_end is not None:
            self._note_end(result, monotonic() - begin)

    def _synchronize(self, pipeline_id: int) -> None:
        with self._lock:
            self._unsaved_failures.pop(pipeline_id, None)
        self._database.renew_reservation()
        with self._database.writing() as connection:
            pipeline = pipeline_at_work(connection, pipeline_id)
            if pipeline is None:
                raise PipelineGoneError
            save_started(connection, pipeline_id)
        _log.info("Sync of %s begins", pipeline.name)
        synchronize(
            self._database,
            self._engine,
            self._source,
            pipeline,
            keep_going=self._keep_going,
            progress=lambda read: self._note_progress(pipeline_id, read),
            contents=self._contents,
            wait=self._stopping.wait,
        )
        _log.info("Sync of %s is done", pipeline.name)

    def _fail(self, pipeline_id: int, message: str) -> None:
        try:
            with self._database.writing() as connection:
                save_failure(connection, pipeline_id, message)
        except Exception:  # noqa: BLE001 - the other pipelines must go on
            # It is kept here, for status() to report. If the server stops too, the pipeline is
            # marked as syncing, which the next start repeats.
            with self._lock:
                self._unsaved_failures[pipeline_id] = message
            _log.exception("The failure of a sync could not be saved")

    def _keep_going(self) -> None:
        if self._stopping.is_set():
            raise _StoppedError

    def _note_progress(self, pipeline_id: int, read: int) -> None:
        with self._lock:
            self._read_so_far[pipeline_id] = read


def _reason(error: Exception) -> str:
    """Says what an unexpected error means for a sync."""
    trouble: TroubleError | None = None
    if isinstance(error, DBAPIError):
        trouble = database_trouble(error)
    elif isinstance(error, OSError) and not concerns_one_file(error):
        trouble = system_trouble(error, "The sync could not go on")
    if trouble is not None:
        return str(trouble)
    return (
        f"The sync failed unexpectedly ({type(error).__name__}); the server's log says more. What "
        "was synced before is kept."
    )
