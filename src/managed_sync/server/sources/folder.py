"""The company folder: a tree of files, JSON Lines files and their ``permissions.yaml``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic

from managed_sync.errors import PermissionsFileError, SourceError
from managed_sync.logs import get_logger
from managed_sync.server.domain import OpenFile, PipelineName
from managed_sync.server.sources.file_tree import FileTree
from managed_sync.server.sources.json_lines import file_mark, json_lines_items
from managed_sync.server.sources.model import ListingContext, Seen, SourceItem, UnreadableItem
from managed_sync.server.sources.permissions_file import Permissions, parse_permissions

__all__ = ["FolderSource", "Moment", "MovingError"]

_logger = get_logger("managed_sync.server")

_FILES = "files"
_LOCK = "permissions.yaml.lock"
# A permissions.yaml that opens records is trusted after it has not changed for this long.
_SETTLE_SECONDS = 1.0


class MovingError(Exception):
    """The source is being changed; the message has the remedy if that does not end."""


@dataclass(frozen=True)
class Moment:
    """The ``permissions.yaml`` at one moment.

    Attributes:
        permissions: The parsed content.
        digest: The digest of the content.
        mark: Changes whenever the file is written or replaced, even with the same content.
        ends_whole: Whether the last line is complete.
    """

    permissions: Permissions
    digest: str
    mark: str
    ends_whole: bool


class FolderSource:
    """Reads a company folder; never writes to it.

    Args:
        folder: The company folder.
        synced_before: Whether it was synced before. If so, a malformed ``permissions.yaml`` does
            not prevent the start: it fails the next sync, and the published state stays.

    Raises:
        SourceError: The folder is missing.
        PermissionsFileError: ``permissions.yaml`` is missing or malformed, at the first start.
    """

    def __init__(self, folder: Path, *, synced_before: bool = False) -> None:
        self._folder = folder
        self._permissions_path = folder / "permissions.yaml"
        self._lock = Lock()
        if not folder.is_dir():
            raise SourceError(
                f"There is no folder {folder}. Name one with permissions.yaml and files/."
            )
        self._content, self._permissions = b"", Permissions()
        self._newest: tuple[str, float] = ("", 0.0)
        try:
            self.permissions()
        except PermissionsFileError as error:
            if not synced_before:
                raise
            _logger.error("%s What was synced before stays in force.", error)

    def permissions(self) -> Permissions:
        """Returns the content of ``permissions.yaml`` now.

        Raises:
            PermissionsFileError: The file is missing or malformed.
        """
        content, _ = self._permissions_content()
        return self._parsed(content)

    def moment(self) -> Moment:
        """Returns the ``permissions.yaml`` now, with a mark that shows later changes.

        Raises:
            PermissionsFileError: The file is missing or malformed.
            MovingError: It is locked, while files and permissions are being reorganized.
        """
        if (self._folder / _LOCK).exists():
            raise MovingError(
                f"The lock {self._folder / _LOCK} exists, so the folder is being reorganized. "
                "Remove the lock when files and permissions.yaml match again."
            )
        content, mark = self._permissions_content()
        digest = hashlib.sha256(content).hexdigest()
        mark = f"{mark}-{digest}"
        with self._lock:
            if self._newest[0] != mark:
                self._newest = (mark, monotonic())
        return Moment(self._parsed(content), digest, mark, content.endswith(b"\n"))

    def seconds_to_settle(self, moment: Moment) -> float:
        """Returns the seconds until an unchanged ``permissions.yaml`` counts as complete."""
        with self._lock:
            mark, first_seen = self._newest
        passed = monotonic() - first_seen if mark == moment.mark else 0.0
        return max(0.0, _SETTLE_SECONDS - passed)

    def look_again(
        self, pipeline: PipelineName, seen: Seen, keep_going: Callable[[], None]
    ) -> Mapping[str, Mapping[str, str]]:
        """Reads everything that a listing read again; the result is equal if nothing was moved."""
        path = self._path_of(pipeline.sync_type)
        if pipeline.sync_type == _FILES:
            return FileTree(path).look_again(seen, keep_going)
        keep_going()
        try:
            return {path.name: {"": file_mark(path.stat())}}
        except OSError:
            return {}

    def is_without_bytes(self, pipeline: PipelineName) -> bool:
        """Returns whether a pipeline's file exists and is empty, without even an empty line."""
        path = self._path_of(pipeline.sync_type)
        return path.is_file() and path.stat().st_size == 0

    def has_changed_since(self, digest: str | None) -> bool:
        """Returns whether ``permissions.yaml`` has another digest than this one."""
        try:
            content, _ = self._permissions_content()
        except PermissionsFileError:
            return True
        return hashlib.sha256(content).hexdigest() != digest

    def pipelines(self) -> tuple[PipelineName, ...]:
        """Returns the pipelines for which the folder has material.

        A malformed ``permissions.yaml`` does not hide them: the last valid names are used.
        """
        try:
            permissions = self.permissions()
        except PermissionsFileError:
            with self._lock:
                permissions = self._permissions
        return tuple(
            PipelineName(integration, sync_type)
            for sync_type, integration in permissions.integrations.items()
            if self._path_of(sync_type).exists()
        )

    def items(
        self, pipeline: PipelineName, listing: ListingContext
    ) -> Iterator[SourceItem | UnreadableItem]:
        """Lists a pipeline's material, every container before what lies in it.

        Raises:
            SourceError: The material cannot be read completely, so a missing item may still exist.
        """
        permissions = self.permissions()
        if permissions.integrations.get(pipeline.sync_type) != pipeline.integration:
            raise SourceError(
                f"{self._permissions_path} does not name the integration {pipeline.integration!r} "
                f"for {pipeline.sync_type!r} any more; add it under 'integrations' again."
            )
        path = self._path_of(pipeline.sync_type)
        if pipeline.sync_type == _FILES:
            return FileTree(path, permissions.url_prefix).items(listing)
        return json_lines_items(path, listing)

    def has_containers(self, pipeline: PipelineName) -> bool:
        """Returns whether the pipeline's items are in containers that are items, too."""
        return pipeline.sync_type == _FILES

    def open(self, location: str) -> OpenFile | None:
        """Opens the content of a file that was listed; ``None`` if it is gone."""
        return FileTree(self._folder / _FILES).open(location)

    def _path_of(self, sync_type: str) -> Path:
        return self._folder / (_FILES if sync_type == _FILES else f"{sync_type}.jsonl")

    def _parsed(self, content: bytes) -> Permissions:
        with self._lock:
            if content and content == self._content:
                return self._permissions
        permissions = parse_permissions(content, self._permissions_path)
        with self._lock:
            self._content, self._permissions = content, permissions
        return permissions

    def _permissions_content(self) -> tuple[bytes, str]:
        try:
            with self._permissions_path.open("rb") as stream:
                # Taken first: a change while the file is read counts as one after it.
                mark = file_mark(os.fstat(stream.fileno()))
                return stream.read(), mark
        except OSError as error:
            raise PermissionsFileError(
                f"Cannot read {self._permissions_path}: {error.strerror}. It defines who may read "
                "what; start with 'users: [you@example.com]' and "
                "'files: {/: {viewer: [organization]}}'."
            ) from None
