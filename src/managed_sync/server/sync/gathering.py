"""Gathers what one pipeline will be: its records as the source lists them, and their grants.

Guarantees:

- A path that is protected with ``inherit: false`` and cannot be found stops the sync, for what
  it protected may lie open under another name.
- So does a protected folder that was moved while another one took its place.
- A link opens nothing: nobody may read it who may not read what it leads to.
- Records of JSON Lines files are known by their ids, which no move changes. There a protected
  one that cannot be found stops nothing, but until it is, what is new inherits nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from managed_sync.errors import PermissionsFileError, SourceError
from managed_sync.identifiers import folder_id, object_id_for
from managed_sync.server.domain import container_id, record_id
from managed_sync.server.graph.grant_compiler import GrantCompiler
from managed_sync.server.graph.schema import PUBLIC
from managed_sync.server.sources.folder import FolderSource, MovingError
from managed_sync.server.sources.model import (
    KnownContent,
    Listing,
    Seen,
    SourceItem,
    Unreadable,
)
from managed_sync.server.sources.permissions_file import Entry, Permissions
from managed_sync.server.storage.pipelines import Pipeline
from managed_sync.server.storage.records import KnownItem
from managed_sync.server.sync.openings import Readers
from managed_sync.server.sync.sighting import Sighting, something_moved
from managed_sync.server.sync.staging import Staging
from managed_sync.server.sync.warnings import SyncWarnings

__all__ = ["Gathering"]

_BATCH = 500
_MAX_NAMED = 3


class Gathering:
    """One pipeline's part of a sync.

    Args:
        source: Where records and permissions come from.
        pipeline: The pipeline, as it is in the database.
        staging: Takes what is gathered.
        known: What the last sync published.
    """

    def __init__(
        self,
        source: FolderSource,
        pipeline: Pipeline,
        staging: Staging,
        known: Mapping[str, KnownItem],
    ) -> None:
        self.pipeline = pipeline
        self.warnings = SyncWarnings()
        self._source = source
        self._staging = staging
        self._sighting = Sighting(known)
        self._sync_type = pipeline.name.sync_type
        self._has_containers = source.has_containers(pipeline.name)
        self._root = container_id(pipeline.scope, pipeline.name)
        self._objects: dict[str, str] = {}
        self._links: dict[str, str] = {}
        self._seen: Seen = {}

    def stage_records(
        self,
        listing: Listing,
        contents: dict[str, KnownContent],
        progress: Callable[[int], None],
    ) -> None:
        """Lists the source.

        Args:
            listing: How to list.
            contents: Takes what was found out about contents, for the next attempt.
            progress: Takes the number of records read so far.

        Raises:
            SourceError: The source cannot be read whole.
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
            for place in batch:
                self._sighting.note(place)
                if isinstance(place, Unreadable):
                    self._staging.keep_records(self.pipeline, place.source_id)
            progress(len(self._sighting))
        self._seen = listing.seen
        self._require_some_of_what_was()

    def require_unmoved(self, keep_going: Callable[[], None], *, strict: bool) -> None:
        """Looks at the source again.

        Args:
            keep_going: Called often; raises to give the sync up.
            strict: Whether everything must be the same; if not, nothing may have been moved, and
                nothing may be missing.

        Raises:
            MovingError: It is not as it was when it was listed.
        """
        again = self._source.look_again(self.pipeline.name, self._seen, keep_going)
        if again == self._seen:
            return
        if strict or self._sighting.lacks_anything() or something_moved(self._seen, again):
            raise MovingError(
                f"The source of {self.pipeline.name} was changed during each attempt to list it. "
                "Sync when it is quieter."
            )

    def stage_permissions(self, permissions: Permissions, compiler: GrantCompiler) -> None:
        """Writes the grants of the records.

        Raises:
            PermissionsFileError: Something that is protected cannot be found.
        """
        entries = {
            self._source_id(path): entry
            for path, entry in permissions.entries.get(self._sync_type, {}).items()
        }
        missing = [
            source_id
            for source_id, entry in entries.items()
            if not entry.inherit and not self._sighting.shows(source_id, entry)
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
                self.pipeline, list(compiler.grants(entry, objects[source_id], self._sync_type))
            )
        closed = [source_id for source_id, entry in entries.items() if not entry.inherit]
        if missing:
            closed += self._keep_closed(entries)
        self._staging.add_parents(self.pipeline, except_for=closed)

    def close_links(self, readers: Callable[[], Readers]) -> None:
        """Withdraws links that somebody may read who may not read what they lead to.

        Whoever may write into an open folder could open any file otherwise, also with a link that
        is kept from an earlier sync because its place cannot be read.

        Args:
            readers: Works out who may read what was gathered.
        """
        links = [(link, self._objects[link], target) for link, target in self._links.items()]
        links += [
            (link, item.object, item.link_to)
            for link, item in self._sighting.known.items()
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
                    "read, so nobody may read the link; copy the file."
                )

    def places(self, *, all_of_them: bool) -> dict[str, tuple[str, str]]:
        """For each record its object as it is published, and as it will be; moved ones apart.

        Args:
            all_of_them: Whether those that were not moved are wanted, too.
        """
        known = self._sighting.known
        places = {
            new: (known[old].object, self._objects[new]) for old, new in self._sighting.moves()
        }
        if all_of_them:
            for source_id, item in known.items():
                if source_id in self._objects:
                    places.setdefault(source_id, (item.object, self._objects[source_id]))
        return {
            f"{self._sync_type}: {place}": objects
            for place, objects in places.items()
            if not objects[1].startswith("folder:")
        }

    def has_newcomers(self) -> bool:
        """Whether something is listed that the last sync did not have."""
        return bool(self._sighting.newcomers())

    def _require_some_of_what_was(self) -> None:
        """Makes sure that an empty source is not one that is about to be filled, or a lost mount.

        Raises:
            SourceError: Nothing is there, and nothing says that this is meant.
        """
        kept = f"The {len(self._sighting.known):,} records are kept. If they are gone,"
        for place in self._sighting.lost_mounts():
            raise SourceError(
                f"The folder {place} is empty and no mount any more. Mount it again. {kept} remove "
                "the folder."
            )
        if not self._sighting.is_empty():
            return
        if self._has_containers and self._sighting.has_another_root():
            raise SourceError(
                f"The folder of {self.pipeline.name} is empty and another one than before: is a "
                f"mount missing? {kept} put a file into the folder, or delete the pipeline."
            )
        if self._source.is_without_bytes(self.pipeline.name):
            raise SourceError(
                f"The file of {self.pipeline.name} is empty, as when it is about to be written. "
                f"{kept} write an empty line into it."
            )

    def _keep_closed(self, entries: Mapping[str, Entry]) -> list[str]:
        """Closes what is new, and leaves closed what is, as one of them may be the missing one."""
        before = self._sighting.known
        closed = [
            source_id
            for source_id in self._sighting
            if source_id not in entries and (source_id not in before or before[source_id].closed)
        ]
        for source_id in closed:
            self._staging.show_permissions(self.pipeline, source_id, {"inherit": False})
        return closed

    def _require_protected(self, entries: Mapping[str, Entry], missing: Sequence[str]) -> None:
        problems = [
            f"line {entries[source_id].line}: {self._sync_type}: {entries[source_id].path} is "
            f"protected by 'inherit: false' and {'; '.join(self._sighting.why_missing(source_id))}"
            for source_id in missing
        ]
        for old, new in self._sighting.moves():
            entry = entries.get(old)
            replaced = old in self._sighting and self._sighting.known[old].closed
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
        """What a path of the permissions file names: ``/c-007`` is the contact ``c-007``."""
        return path if self._has_containers or path == "/" else path.removeprefix("/")

    def _warn_of_missing(self, source_id: str, entry: Entry) -> None:
        consequence = (
            "its grants are ignored"
            if entry.inherit
            else "what is new inherits nothing, for it may be what this entry protects"
        )
        problem, _ = self._sighting.why_missing(source_id)
        self.warnings.add(
            f"permissions.yaml: {self._sync_type}: {entry.path} (line {entry.line}) {problem}, "
            f"so {consequence}; correct the path or remove the entry."
        )
