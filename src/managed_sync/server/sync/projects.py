"""The projects of a server, each with its own source and pipelines."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from managed_sync.server.config import ServerConfig
from managed_sync.server.domain import OpenFile, is_version
from managed_sync.server.failures import ServerFailureError
from managed_sync.server.graph.engine import PermissionEngine
from managed_sync.server.sources.file_tree import file_version
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.storage.blobs import Blobs
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import pipelines_of_project
from managed_sync.server.storage.records import StoredRecord, all_digests
from managed_sync.server.sync.runner import Pipelines, SyncResult

__all__ = ["Content", "Project", "Projects"]


@dataclass(frozen=True)
class Content:
    """A content that is open for reading.

    Attributes:
        file: The open file.
        tag: Identifies the content: equal tags mean equal bytes.
        may_go_on: Returns whether the rest may still be sent. The file may change while it is
            sent, and the permissions may have changed before that.
    """

    file: OpenFile
    tag: str
    may_go_on: Callable[[], bool] = lambda: True


class Project:
    """One project.

    Args:
        project_id: Its id.
        source: Where its records come from.
        pipelines: What brings them.
        blobs: Copies of its contents; ``None`` where they are read from the source.
    """

    def __init__(
        self,
        project_id: str,
        source: FolderSource,
        pipelines: Pipelines,
        blobs: Blobs | None,
    ) -> None:
        self.id = project_id
        self.pipelines = pipelines
        self._source = source
        self._blobs = blobs

    def open(self, record: StoredRecord) -> Content | None:
        """Opens the content of a record; ``None`` if it is gone.

        Raises:
            ServerFailureError: The content exists, but the server cannot read it or has lost its
                copy.
        """
        if record.location is None or record.digest is None:
            return None
        if self._blobs is not None:
            kept = self._blobs.open(record.digest)
            if kept is None:
                # Not a deletion: the record exists, and its file may exist, too.
                raise ServerFailureError(
                    "The copy of this content is lost. The next sync makes a new one."
                )
            return Content(kept, record.digest)
        file = self._source.open(record.location)
        if file is None:
            return None

        def may_go_on() -> bool:
            now = file_version(os.fstat(file.stream.fileno()))
            return now == file.version or not self._source.has_changed_since(record.published_under)

        if record.version is None or is_version(file.version, record.version):
            return Content(file, record.digest, may_go_on)
        if self._is_another(file, record):
            file.stream.close()
            return None
        # A file that was changed after the sync is another content, of unknown digest.
        return Content(file, file.version, may_go_on)

    def _is_another(self, file: OpenFile, record: StoredRecord) -> bool:
        """Returns whether a file is not the synced one, or its permissions may have changed.

        A file that was moved here, or changed after ``permissions.yaml`` was, must not be read
        under the permissions of the file that was here before.
        """
        return _number(file.version) != _number(
            record.version or ""
        ) or self._source.has_changed_since(record.published_under)


def _number(version: str) -> str:
    return version.rpartition("-")[2]


class Projects(dict[str, Project]):
    """All projects of a server, by id.

    Args:
        config: The settings.
        database: Stores the state of all projects.
        engine: Evaluates their permissions.
        note_end: Called after each sync with its result and its duration in seconds.

    Raises:
        SourceError: A company folder is missing.
        PermissionsFileError: Its ``permissions.yaml`` is missing or malformed, at the first start.
    """

    def __init__(
        self,
        config: ServerConfig,
        database: Database,
        engine: PermissionEngine,
        note_end: Callable[[SyncResult, float], None],
    ) -> None:
        super().__init__()
        self._database = database
        self._blobs = Blobs(config.state / "blobs") if config.content == "blobs" else None
        for project_id, project in config.projects.items():
            with database.reading() as connection:
                synced_before = bool(pipelines_of_project(connection, project_id))
            source = FolderSource(project.folder, synced_before=synced_before)
            pipelines = Pipelines(
                database,
                engine,
                source,
                project_id,
                contents=self._blobs,
                write_seconds=config.limits.write_seconds,
                note_end=note_end,
            )
            self[project_id] = Project(project_id, source, pipelines, self._blobs)

    def start(self) -> None:
        """Starts the schedule, and repeats syncs that the last run did not finish."""
        if self._blobs is not None:
            with self._database.reading() as connection:
                wanted = all_digests(connection)
            self._blobs.sweep(wanted)
        for project in self.values():
            project.pipelines.start()

    def stop(self) -> None:
        """Stops schedules and syncs."""
        for project in self.values():
            project.pipelines.stop()
