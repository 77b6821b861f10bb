"""The company folder: a tree of files, JSON Lines files, and ``permissions.yaml`` beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

from managed_sync.errors import PermissionsFileError, SourceError
from managed_sync.logs import get_logger
from managed_sync.server.scope import PipelineName
from managed_sync.server.sources.file_tree import FileTree, OpenFile
from managed_sync.server.sources.json_lines import json_lines_items
from managed_sync.server.sources.listing import Listing, SourceItem, Unreadable
from managed_sync.server.sources.permissions_file import Permissions, parse_permissions

__all__ = ["FolderSource"]

_log = get_logger("managed_sync.server")

_FILES = "files"


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
        content = self._permissions_content()
        with self._lock:
            if content and content == self._content:
                return self._permissions
        permissions = parse_permissions(content, self._permissions_path)
        with self._lock:
            self._content, self._permissions = content, permissions
        return permissions

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

    def _permissions_content(self) -> bytes:
        try:
            return self._permissions_path.read_bytes()
        except OSError as error:
            raise PermissionsFileError(
                f"Cannot read {self._permissions_path}: {error.strerror}. It says who may read "
                "what; start with 'users: [you@example.com]' and "
                "'files: {/: {viewer: [organization]}}'."
            ) from None
