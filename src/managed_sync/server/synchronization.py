"""One sync of one pipeline: from the source to records and permission graph.

Guarantees:
    - A sync shows as a whole or not at all: records, their grants and the groups change in one
      transaction. Whatever goes wrong before its end leaves everything as it was. An engine
      outside the database takes the changes at its end, and answers nothing until it has them.
    - The permissions are read inside that transaction. So of two syncs the one that ends last has
      read the newer file, and never brings back what the other took away.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from typing import Any

from managed_sync.identifiers import ObjectId, object_id_for
from managed_sync.logs import get_logger
from managed_sync.server.relations.grants import GrantCompiler
from managed_sync.server.relations.graph import PermissionEngine
from managed_sync.server.scope import container_id, record_id
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.sources.listing import Contents, Listing, SourceItem, Unreadable
from managed_sync.server.sources.permissions_file import Entry
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import Pipeline, pipeline_at_work, save_success
from managed_sync.server.storage.records import known_contents
from managed_sync.server.storage.staging import Staging, staging_tables

__all__ = ["PipelineGoneError", "synchronize"]

_log = get_logger("managed_sync.server")

_BATCH = 500
_MAX_WARNINGS = 100


class PipelineGoneError(Exception):
    """The pipeline was disabled or deleted while its sync was under way."""


def synchronize(
    database: Database,
    engine: PermissionEngine,
    source: FolderSource,
    pipeline: Pipeline,
    *,
    keep_going: Callable[[], None],
    progress: Callable[[int], None],
    contents: Contents | None = None,
) -> None:
    """Brings a pipeline's records and permissions up to date with its source.

    Args:
        database: Where both are kept.
        engine: Evaluates the permissions.
        source: Where both come from.
        pipeline: The pipeline.
        keep_going: Called often; raises to give the sync up.
        progress: Takes the number of records read so far.
        contents: Takes a copy of every content; ``None`` where contents stay in the source.

    Raises:
        SourceError: The source cannot be read whole, or its permissions cannot be understood.
        PipelineGoneError: Nobody wants the pipeline any more.
        PermissionEngineError: The engine did not take the changes.
    """
    warnings = _Warnings()
    with database.reading() as connection:
        known = known_contents(connection, pipeline)
    listing = Listing(known, warnings.add, keep_going, contents)
    with database.connect() as connection, staging_tables(connection):
        staging = Staging(connection, pipeline)
        sync = _Sync(source, pipeline, staging, warnings)
        with connection.begin():
            sync.stage_records(listing, progress)
        keep_going()
        with (
            engine.publishing(pipeline.scope) as publication,
            database.exclusively(connection),
        ):
            current = pipeline_at_work(connection, pipeline.id)
            if current is None:
                raise PipelineGoneError
            version = current.version + 1
            sync.stage_permissions()
            publication.take(staging.relation_changes)
            staging.publish(version)
            save_success(
                connection,
                pipeline.id,
                version=version,
                record_count=staging.count_records(),
                warnings=warnings.sentences(),
            )


class _Sync:
    def __init__(
        self, source: FolderSource, pipeline: Pipeline, staging: Staging, warnings: _Warnings
    ) -> None:
        self._source = source
        self._pipeline = pipeline
        self._staging = staging
        self._warnings = warnings
        self._has_containers = source.has_containers(pipeline.name)
        self._root = container_id(pipeline.scope, pipeline.name)

    def stage_records(self, listing: Listing, progress: Callable[[int], None]) -> None:
        items = self._source.items(self._pipeline.name, listing)
        read = 0
        while batch := list(islice(items, _BATCH)):
            rows = [self._row(item) for item in batch if isinstance(item, SourceItem)]
            self._staging.add_records(rows)
            for item in batch:
                if isinstance(item, Unreadable):
                    self._staging.keep_records(item.source_id)
            read += len(rows)
            progress(read)

    def stage_permissions(self) -> None:
        permissions = self._source.permissions()
        compiler = GrantCompiler(permissions, self._warnings.add)
        self._staging.add_relations(list(compiler.members()), of_groups=True)
        sync_type = self._pipeline.name.sync_type
        entries = {
            self._source_id(path): entry
            for path, entry in permissions.entries.get(sync_type, {}).items()
        }
        objects = self._staging.objects(list(entries))
        if not self._has_containers:
            objects["/"] = str(ObjectId("folder", self._root))
        for source_id, entry in entries.items():
            if source_id not in objects:
                self._warn_of_missing(entry)
                continue
            self._staging.show_permissions(source_id, entry.as_written())
            self._staging.add_relations(list(compiler.grants(entry, objects[source_id], sync_type)))
        self._staging.add_parents(
            except_for=[source_id for source_id, entry in entries.items() if not entry.inherit]
        )

    def _row(self, item: SourceItem) -> dict[str, Any]:
        scope, name = self._pipeline.scope, self._pipeline.name
        identifier = record_id(scope, name, item.source_id)
        parent = self._parent(item)
        data = item.data if parent is None else {**item.data, "parentId": parent}
        return {
            "id": identifier,
            "source_id": item.source_id,
            "object": str(ObjectId("folder", identifier))
            if item.container
            else object_id_for(name.sync_type, identifier),
            "parent_object": None if parent is None else str(ObjectId("folder", parent)),
            "data": json.dumps(data),
            "permissions": "{}",
            "updated_at": item.updated_at.isoformat() if item.updated_at else None,
            "version": item.version,
            "digest": item.digest,
            "location": item.location,
        }

    def _parent(self, item: SourceItem) -> str | None:
        if not self._has_containers:
            return self._root
        if item.parent is None:
            return None
        return record_id(self._pipeline.scope, self._pipeline.name, item.parent)

    def _source_id(self, path: str) -> str:
        """What a path of the permissions file names: ``/c-007`` is the contact ``c-007``."""
        return path if self._has_containers or path == "/" else path.removeprefix("/")

    def _warn_of_missing(self, entry: Entry) -> None:
        consequence = (
            "its grants are ignored" if entry.inherit else "it grants and protects nothing"
        )
        self._warnings.add(
            f"permissions.yaml: {self._pipeline.name.sync_type}: {entry.path} (line {entry.line}) "
            f"does not exist, so {consequence}; correct the path or remove the entry."
        )


class _Warnings:
    """Sentences about what was left out; the first ones, and how many more there are."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._more = 0

    def add(self, sentence: str) -> None:
        # A sentence quotes names of any kind; what cannot be written must not stop the sync.
        sentence = sentence.encode(errors="backslashreplace").decode()
        _log.warning("%s", sentence)
        if len(self._sentences) < _MAX_WARNINGS:
            self._sentences.append(sentence)
        else:
            self._more += 1

    def sentences(self) -> list[str]:
        if not self._more:
            return list(self._sentences)
        return [*self._sentences, f"There are {self._more} more such warnings; see the log."]
