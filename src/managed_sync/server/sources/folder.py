"""The company folder: a tree of files, JSON Lines files, and ``permissions.yaml`` beside them."""

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
from managed_sync.server.sources.model import Listing, Seen, SourceItem, Unreadable
from managed_sync.server.sources.permissions_file import Permissions, parse_permissions

__all__ = ["FolderSource", "Moment", "MovingError"]

_log = get_logger("managed_sync.server")

_FILES = "files"
_LOCK = "permissions.yaml.lock"
# A permissions.yaml that opens something is believed when it has stayed as it is for this long.
_SETTLE_SECONDS = 1.0


class MovingError(Exception):
    """The source is being changed; the message says what to do if that does not end."""


@dataclass(frozen=True)
class Moment:
    """What ``permissions.yaml`` said at one moment.

    Attributes:
        permissions: Its content.
        digest: Tells contents apart.
        mark: Changes whenever the file is written or replaced, whatever is written.
        ends_whole: Whether its last line is complete.
    """

    permissions: Permissions
    digest: str
    mark: str
    ends_whole: bool


class FolderSource:
    """Reads a company folder; never writes to it.

    Args:
        folder: The company folder.
        synced_before: Whether it was served already. Then a ``permissions.yaml`` that cannot be
            read is no reason not to start: it fails the next sync, and what was synced stays.

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
                f"There is no folder {folder}; name one that holds permissions.yaml and files/."
            )
        self._content, self._permissions = b"", Permissions()
        self._newest: tuple[str, float] = ("", 0.0)
        try:
            self.permissions()
        except PermissionsFileError as error:
            if not synced_before:
                raise
            _log.error("%s What was synced before stays in force.", error)

    def permissions(self) -> Permissions:
        """What ``permissions.yaml`` says now.

        Raises:
            PermissionsFileError: It is missing or malformed.
        """
        content, _ = self._permissions_content()
        return self._parsed(content)

    def moment(self) -> Moment:
        """What ``permissions.yaml`` says now, and how to tell later that it still says so.

        Raises:
            PermissionsFileError: It is missing or malformed.
            MovingError: Somebody locked it while files and permissions are being reorganized.
        """
        if (self._folder / _LOCK).exists():
            raise MovingError(
                f"{self._folder / _LOCK} is there: somebody reorganizes the folder. Remove it when "
                "files and permissions.yaml fit together again."
            )
        content, mark = self._permissions_content()
        digest = hashlib.sha256(content).hexdigest()
        mark = f"{mark}-{digest}"
        with self._lock:
            if self._newest[0] != mark:
                self._newest = (mark, monotonic())
        return Moment(self._parsed(content), digest, mark, content.endswith(b"\n"))

    def seconds_to_settle(self, moment: Moment) -> float:
        """How long a ``permissions.yaml`` has to stay unchanged until it counts as complete."""
        with self._lock:
            mark, first_seen = self._newest
        passed = monotonic() - first_seen if mark == moment.mark else 0.0
        return max(0.0, _SETTLE_SECONDS - passed)

    def look_again(
        self, pipeline: PipelineName, seen: Seen, keep_going: Callable[[], None]
    ) -> Mapping[str, Mapping[str, str]]:
        """Reads again everything that a listing rests on; equal, if nothing was moved since."""
        path = self._path_of(pipeline.sync_type)
        if pipeline.sync_type == _FILES:
            return FileTree(path).look_again(seen, keep_going)
        keep_going()
        try:
            return {path.name: {"": file_mark(path.stat())}}
        except OSError:
            return {}

    def is_without_bytes(self, pipeline: PipelineName) -> bool:
        """Whether a pipeline's file is there and holds nothing, not even an empty line."""
        path = self._path_of(pipeline.sync_type)
        return path.is_file() and path.stat().st_size == 0

    def has_changed_since(self, digest: str | None) -> bool:
        """Whether ``permissions.yaml`` says something else than what has this digest."""
        try:
            content, _ = self._permissions_content()
        except PermissionsFileError:
            return True
        return hashlib.sha256(content).hexdigest() != digest

    def pipelines(self) -> tuple[PipelineName, ...]:
        """The pipelines that the folder has material for.

        A malformed ``permissions.yaml`` does not hide them: then the names it gave last hold.
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

    def items(self, pipeline: PipelineName, listing: Listing) -> Iterator[SourceItem | Unreadable]:
        """Lists a pipeline's material, every container before what lies in it.

        Raises:
            SourceError: It cannot be read whole, so that nothing may be concluded from what is
                missing.
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
        """Whether the pipeline's items lie in containers that are items themselves."""
        return pipeline.sync_type == _FILES

    def open(self, location: str) -> OpenFile | None:
        """Opens the content of a file that was listed; ``None`` when it is gone."""
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
                # First: a change during the reading counts as one after it.
                mark = file_mark(os.fstat(stream.fileno()))
                return stream.read(), mark
        except OSError as error:
            raise PermissionsFileError(
                f"Cannot read {self._permissions_path}: {error.strerror}. It says who may read "
                "what; start with 'users: [you@example.com]' and "
                "'files: {/: {viewer: [organization]}}'."
            ) from None
