"""The next state of one pipeline: its records as the source lists them, and their grants.

Guarantees:

- A path that is protected with ``inherit: false`` and cannot be found stops the sync, since the
  protected item may lie open under another name.
- A protected folder that was moved and replaced by another one stops the sync, too.
- A link opens nothing: only readers of its target may read it.
- Records of JSON Lines files are identified by their ids, which no move changes. A protected
  record that is missing there does not stop the sync, but until it is found, new records
  inherit nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from managed_sync.errors import PermissionsFileError, SourceError
from managed_sync.identifiers import folder_id, object_id_for
from managed_sync.server.domain import PUBLIC, KnownContent, container_id, record_id
from managed_sync.server.sources.folder import FolderSource, MovingError
from managed_sync.server.sources.model import ListingContext, Seen, SourceItem, UnreadableItem
from managed_sync.server.sources.permissions_file import Entry, Permissions
from managed_sync.server.storage.pipelines import StoredPipeline
from managed_sync.server.storage.records import KnownItem
from managed_sync.server.sync.grant_compiler import GrantCompiler
from managed_sync.server.sync.listed_items import ListedItems, any_moved
from managed_sync.server.sync.openings import Readers
from managed_sync.server.sync.staging import Staging
from managed_sync.server.sync.warnings import SyncWarnings

__all__ = ["PipelineSnapshot"]

_BATCH = 500
_MAX_NAMED = 3


class PipelineSnapshot:
    """One pipeline's part of a sync.

    Args:
        source: Provides records and permissions.
        pipeline: The pipeline, as it is in the database.
        staging: Takes the gathered records and tuples.
        known: The items that the last sync published.
    """

    def __init__(
        self,
        source: FolderSource,
        pipeline: StoredPipeline,
        staging: Staging,
        known: Mapping[str, KnownItem],
    ) -> None:
        self.pipeline = pipeline
        self.warnings = SyncWarnings()
        self._source = source
        self._staging = staging
        self._listed = ListedItems(known)
        self._sync_type = pipeline.name.sync_type
        self._has_containers = source.has_containers(pipeline.name)
        self._root = container_id(pipeline.scope, pipeline.name)
        self._objects: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._seen: Seen = {}

    def stage_records(
        self,
        listing: ListingContext,
        contents: dict[str, KnownContent],
        progress: Callable[[int], None],
    ) -> None:
        """Lists the source.

        Args:
            listing: The context of the listing.
            contents: Filled with the digests of contents, for the next attempt.
            progress: Called with the number of records read so far.

        Raises:
            SourceError: The source cannot be read completely.
        """
        items = self._source.items(self.pipeline.name, listing)
        while batch := list(islice(items, _BATCH)):
            found = [item for item in batch if isinstance(item, SourceItem)]
            self._staging.add_records(self.pipeline, [self._row(item) for item in found])
            for item in found:
                if item.link_to is not None:
                    self._links[item.source_id] = item.link_to
                if item.version is not None and item.digest is not None:
                    contents[item.source_id] = KnownContent(item.version, item.digest)
            for listed in batch:
                self._listed.add(listed)
                if isinstance(listed, UnreadableItem):
                    self._staging.keep_records(self.pipeline, listed.source_id)
            progress(len(self._listed))
        self._seen = listing.seen
        self._require_some_of_what_was()

    def require_unmoved(self, keep_going: Callable[[], None], *, strict: bool) -> None:
        """Raises an error if the source has changed since it was listed.

        Args:
            keep_going: Called often; raises to abandon the sync.
            strict: Whether any change is an error, or only an item that was moved or is missing.

        Raises:
            MovingError: The source has changed.
        """
        again = self._source.look_again(self.pipeline.name, self._seen, keep_going)
        if again == self._seen:
            return
        if strict or self._listed.has_missing_items() or any_moved(self._seen, again):
            raise MovingError(
                f"The source of {self.pipeline.name} was changed during each attempt to list it. "
                "Sync when it is quieter."
            )

    def stage_permissions(self, permissions: Permissions, compiler: GrantCompiler) -> None:
        """Writes the grants of the records.

        Raises:
            PermissionsFileError: A protected item cannot be found.
        """
        entries = {
            self._source_id(path): entry
            for path, entry in permissions.entries.get(self._sync_type, {}).items()
        }
        missing = [
            source_id
            for source_id, entry in entries.items()
            if not entry.inherit and not self._listed.covers(source_id, entry)
        ]
        if self._has_containers:
            self._require_protected(entries, missing)
        objects = self._staging.objects(self.pipeline, list(entries))
        if not self._has_containers:
            objects["/"] = folder_id(self._root)
        for source_id, entry in entries.items():
            if source_id not in objects:
                self._warn_of_missing(source_id, entry)
                continue
            self._staging.show_permissions(self.pipeline, source_id, entry.as_written())
            self._staging.add_relations(
                self.pipeline, list(compiler.tuples(entry, objects[source_id], self._sync_type))
            )
        closed = [source_id for source_id, entry in entries.items() if not entry.inherit]
        if missing:
            closed += self._keep_closed(entries)
        self._staging.add_parents(self.pipeline, except_for=closed)

    def close_links(self, readers: Callable[[], Readers]) -> None:
        """Withdraws links that have readers who may not read their targets.

        Otherwise a user who can write into an open folder could open any file, also with a link
        that is kept from an earlier sync because its folder cannot be read.

        Args:
            readers: Computes the readers of the gathered records.
        """
        links = [(link, self._objects[link], target) for link, target in self._links.items()]
        links += [
            (link, item.object, item.link_to)
            for link, item in self._listed.known.items()
            if item.link_to is not None and link not in self._objects
        ]
        if not links:
            return
        who = readers()
        for link, link_object, target in links:
            allowed = who.of(self._objects[target]) if target in self._objects else frozenset()
            if PUBLIC not in allowed and not who.of(link_object) <= allowed:
                self._staging.withdraw([link_object])
                self.warnings.add(
                    f"{self._sync_type}: {link} is a link to {target}, which fewer people may "
                    "read, so nobody may read the link; copy the file instead."
                )

    def object_changes(self, *, all_of_them: bool) -> dict[str, tuple[str, str]]:
        """Returns the published and the new object of each moved record, by path.

        Args:
            all_of_them: Whether to include the records that were not moved.
        """
        known = self._listed.known
        changes = {
            new: (known[old].object, self._objects[new]) for old, new in self._listed.moves()
        }
        if all_of_them:
            for source_id, item in known.items():
                if source_id in self._objects:
                    changes.setdefault(source_id, (item.object, self._objects[source_id]))
        return {
            f"{self._sync_type}: {source_id}": objects
            for source_id, objects in changes.items()
            if not objects[1].startswith("folder:")
        }

    def has_new_items(self) -> bool:
        """Returns whether the listing has items that the last sync did not have."""
        return bool(self._listed.new_source_ids())

    def _require_some_of_what_was(self) -> None:
        """Raises an error if the source may be empty by mistake.

        Raises:
            SourceError: The source is empty: a mount may be missing, or a file half written.
        """
        kept = f"The {len(self._listed.known):,} records are kept. If they are gone,"
        for source_id in self._listed.lost_mounts():
            raise SourceError(
                f"The folder {source_id} is empty and no longer a mount point. Mount it again. "
                f"{kept} remove the folder."
            )
        if not self._listed.is_empty():
            return
        if self._has_containers and self._listed.has_new_root():
            raise SourceError(
                f"The folder of {self.pipeline.name} is empty and not the same folder as before: "
                f"is a mount missing? {kept} put a file into the folder, or delete the pipeline."
            )
        if self._source.is_without_bytes(self.pipeline.name):
            raise SourceError(
                f"The file of {self.pipeline.name} is empty, as when it is about to be written. "
                f"{kept} write an empty line into it."
            )

    def _keep_closed(self, entries: Mapping[str, Entry]) -> list[str]:
        """Closes new records and keeps closed ones closed, since one may be the missing record."""
        before = self._listed.known
        closed = [
            source_id
            for source_id in self._listed
            if source_id not in entries and (source_id not in before or before[source_id].closed)
        ]
        for source_id in closed:
            self._staging.show_permissions(self.pipeline, source_id, {"inherit": False})
        return closed

    def _require_protected(self, entries: Mapping[str, Entry], missing: Sequence[str]) -> None:
        problems = [
            f"line {entries[source_id].line}: {self._sync_type}: {entries[source_id].path} is "
            f"protected by 'inherit: false' and {'; '.join(self._listed.why_missing(source_id))}"
            for source_id in missing
        ]
        for old, new in self._listed.moves():
            entry = entries.get(old)
            replaced = old in self._listed and self._listed.known[old].closed
            if replaced and entry is not None and not entry.inherit and new not in entries:
                problems.append(
                    f"line {entry.line}: {self._sync_type}: what was protected at {entry.path} is "
                    f"at {new} now, and something else has taken its place; give {new} an entry "
                    "of its own, or move it back"
                )
        if problems:
            more = f" (and {len(problems) - _MAX_NAMED} more)" if len(problems) > _MAX_NAMED else ""
            raise PermissionsFileError(
                f"permissions.yaml, {'; '.join(problems[:_MAX_NAMED])}{more}. "
                "Nothing was published; what was synced before stays in force."
            )

    def _row(self, item: SourceItem) -> dict[str, Any]:
        scope, name = self.pipeline.scope, self.pipeline.name
        identifier = record_id(scope, name, item.source_id)
        parent = self._parent(item)
        data = item.data if parent is None else {**item.data, "parentId": parent}
        self._objects[item.source_id] = object_id_for(
            name.sync_type, identifier, is_folder=item.container
        )
        return {
            "id": identifier,
            "source_id": item.source_id,
            "object": self._objects[item.source_id],
            "parent_object": None if parent is None else folder_id(parent),
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
        return record_id(self.pipeline.scope, self.pipeline.name, item.parent)

    def _source_id(self, path: str) -> str:
        """Returns the source id for a path in the permissions file: ``c-007`` for ``/c-007``."""
        return path if self._has_containers or path == "/" else path.removeprefix("/")

    def _warn_of_missing(self, source_id: str, entry: Entry) -> None:
        consequence = (
            "its grants are ignored"
            if entry.inherit
            else "new records inherit nothing, since one may be the record that this entry protects"
        )
        problem, _ = self._listed.why_missing(source_id)
        self.warnings.add(
            f"permissions.yaml: {self._sync_type}: {entry.path} (line {entry.line}) {problem}, "
            f"so {consequence}; correct the path or remove the entry."
        )
