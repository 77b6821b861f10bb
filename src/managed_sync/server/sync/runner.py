"""The pipelines of a project: enabled, scheduled, and synced in the background, one sync each."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from threading import Event, Lock
from time import monotonic
from typing import Literal, TypeAlias

from sqlalchemy.exc import DBAPIError

from managed_sync.errors import SourceError, StateInUseError
from managed_sync.logs import get_logger
from managed_sync.models import SyncState, SyncStatus
from managed_sync.server.domain import PipelineName, Scope
from managed_sync.server.failures import (
    ServerFailureError,
    concerns_one_file,
    database_failure,
    system_failure,
)
from managed_sync.server.graph.engine import PermissionEngine, PermissionEngineError
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.sources.model import Contents
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import (
    StoredPipeline,
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

__all__ = ["Pipelines", "SyncResult", "UnknownPipelineError"]

_logger = get_logger("managed_sync.server")

_THREADS = 4
_STOP_SECONDS = 5

SyncResult: TypeAlias = Literal["done", "failed", "abandoned"]


class UnknownPipelineError(LookupError):
    """The source has no such pipeline; the message lists the existing ones."""


class _StoppedError(Exception):
    """The server stops, so the sync is abandoned; the next start repeats it."""


class Pipelines:
    """Runs the pipelines of one project.

    Args:
        database: Stores pipelines, records and permissions.
        engine: Evaluates the permissions.
        source: Provides records and permissions.
        project_id: The project.
        contents: Takes a copy of every content; ``None`` if contents stay in the source.
        write_seconds: The longest time for which a request that writes waits for other writers.
        note_end: Called after each sync with its result and its duration in seconds.
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
        # Failures that could not be saved, for example because the database failed.
        self._unsaved_failures: dict[int, str] = {}

    def start(self) -> None:
        """Starts the schedule, and repeats syncs that the last run did not finish."""
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
        """Stops schedule and syncs; a running sync is abandoned and changes nothing."""
        self._stopping.set()
        self._timetable.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)
        # A sync may wait for something outside, such as a network folder that is gone.
        with self._lock:
            running = list(self._running)
        if wait(running, _STOP_SECONDS).not_done:
            _logger.warning("A sync does not end; it is abandoned and publishes nothing")

    def enable(
        self,
        scope: Scope,
        name: PipelineName,
        frequency: str | None = None,
        configuration_name: str | None = None,
    ) -> SyncStatus:
        """Enables a pipeline and syncs it now, also if it was enabled before.

        If a sync is running, another one follows, which sees the current state of the source.

        Raises:
            UnknownPipelineError: The source has no such pipeline.
            InvalidParameterError: The frequency cannot be parsed.
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

    def disable(self, pipeline: StoredPipeline) -> None:
        """Stops a pipeline; its records stay as they are.

        Access to them still follows ``permissions.yaml``, through the syncs of other pipelines. A
        running sync is abandoned.
        """
        with self._database.writing(self._write_seconds) as connection:
            disable_pipeline(connection, pipeline)
        self._timetable.remove(pipeline.id)

    def delete(self, pipeline: StoredPipeline) -> None:
        """Deletes a pipeline with its records and grants. A running sync is abandoned."""
        try:
            with (
                self._engine.publishing(pipeline.scope) as publication,
                self._database.writing(self._write_seconds) as connection,
            ):
                publication.stage(lambda: removed_relations(connection, pipeline))
                delete_pipeline(connection, pipeline)
        except PermissionEngineError as error:
            # The pipeline is deleted. Until the engine knows that, it answers no question.
            _logger.error("A pipeline was deleted, but: %s", error)
        self._timetable.remove(pipeline.id)

    def of(self, scope: Scope) -> list[tuple[StoredPipeline, SyncStatus]]:
        """Returns the pipelines of a connected user, each with its status."""
        active = self._active()
        with self._database.reading() as connection:
            found = pipelines_of_scope(connection, scope)
        return [(one, self._status_of(one, active=one.id in active)) for one in found]

    def status(self, scope: Scope, name: PipelineName) -> SyncStatus:
        """Returns the status of a pipeline.

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
        """Returns the pipelines for which the source has material."""
        return self._source.pipelines()

    def require_in_source(self, name: PipelineName) -> None:
        """Raises an error if the source does not have a pipeline.

        Raises:
            UnknownPipelineError: The source does not have it.
        """
        existing = self._source.pipelines()
        if name not in existing:
            names = ", ".join(map(str, existing)) or "none, since the folder holds no material"
            raise UnknownPipelineError(f"There is no pipeline {name}; there are: {names}.")

    def _active(self) -> set[int]:
        # Read before the database: a sync saves its end first and counts as active until then, so
        # nobody sees the end of one sync while the next one has yet to begin.
        with self._lock:
            return set(self._read_so_far)

    def _status_of(self, pipeline: StoredPipeline, *, active: bool) -> SyncStatus:
        status, error, count = pipeline.status, pipeline.error, pipeline.record_count
        with self._lock:
            unsaved = self._unsaved_failures.get(pipeline.id)
        if active and status is not SyncState.DISABLED:
            status, error = SyncState.SYNCING, None
            with self._lock:
                count = max(count, self._read_so_far.get(pipeline.id, 0))
        elif unsaved is not None and status is not SyncState.DISABLED:
            status, error = SyncState.ERROR, unsaved
        # A pipeline that is marked as syncing and not active was just enabled.
        return SyncStatus(
            integration=pipeline.name.integration,
            sync_type=pipeline.name.sync_type,
            status=status,
            last_synced_at=pipeline.last_synced_at,
            record_count=count,
            error=error if status is SyncState.ERROR else None,
            warnings=pipeline.warnings,
        )

    def _schedule(self, pipeline: StoredPipeline) -> None:
        if pipeline.frequency is None:
            return
        every = parse_frequency(pipeline.frequency)
        first = every
        if pipeline.last_synced_at is not None:
            # A sync that fell due while the server was down is due now. If the last sync lies in
            # the future, the clock was ahead; the wait never exceeds the frequency.
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
                # The system has no more threads. The pipeline must not count as active for ever.
                self._note_interruption(pipeline_id)
                raise
            self._running.add(running)
        running.add_done_callback(self._note_done)

    def _note_interruption(self, pipeline_id: int) -> None:
        """Notes that a sync ended without saving its result; the caller holds the lock."""
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
            _logger.info("A sync was abandoned because the server stops")
        except PipelineGoneError:
            result = "abandoned"
            _logger.info("A sync was abandoned because its pipeline was disabled or deleted")
        except StateInUseError as error:
            # The state belongs to another server now, so nothing is written.
            _logger.error("A sync failed: %s", error)
            with self._lock:
                self._unsaved_failures[pipeline_id] = str(error)
        except (SourceError, PermissionEngineError, ServerFailureError) as error:
            _logger.error("A sync failed: %s", error)
            self._fail(pipeline_id, str(error))
        except Exception as error:
            _logger.exception("A sync failed")
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
        _logger.info("Sync of %s begins", pipeline.name)
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
        _logger.info("Sync of %s is done", pipeline.name)

    def _fail(self, pipeline_id: int, message: str) -> None:
        try:
            with self._database.writing() as connection:
                save_failure(connection, pipeline_id, message)
        except Exception:
            # status() reports it from here. If the server stops too, the pipeline is still marked
            # as syncing, and the next start repeats the sync.
            with self._lock:
                self._unsaved_failures[pipeline_id] = message
            _logger.exception("The failure of a sync could not be saved")

    def _keep_going(self) -> None:
        if self._stopping.is_set():
            raise _StoppedError

    def _note_progress(self, pipeline_id: int, read: int) -> None:
        with self._lock:
            self._read_so_far[pipeline_id] = read


def _reason(error: Exception) -> str:
    """Returns a message for an unexpected error of a sync."""
    failure: ServerFailureError | None = None
    if isinstance(error, DBAPIError):
        failure = database_failure(error)
    elif isinstance(error, OSError) and not concerns_one_file(error):
        failure = system_failure(error, "The sync could not continue")
    if failure is not None:
        return str(failure)
    return (
        f"The sync failed unexpectedly ({type(error).__name__}); see the server's log. What was "
        "synced before is kept."
    )
