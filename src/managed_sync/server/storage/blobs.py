"""Copies of contents in a folder, each under the sha256 of its bytes."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from managed_sync.private_files import private_folder
from managed_sync.server.domain import OpenFile
from managed_sync.server.failures import system_failure

__all__ = ["Blobs"]


class Blobs:
    """A folder with copies of contents.

    A copy appears completely or not at all, and never changes. The server therefore serves the
    content that was synced, whatever happens to the source meanwhile.

    Args:
        folder: The folder; created if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts = folder / "drafts"

    def holds(self, digest: str) -> bool:
        """Returns whether a content is stored.

        Raises:
            ServerFailureError: The folder cannot be read.
        """
        with self._failure():
            return self._path(digest).exists()

    @contextmanager
    def draft(self) -> Iterator[_Draft]:
        """Opens a draft of a copy, which ``keep`` makes permanent.

        Raises:
            ServerFailureError: The copy cannot be stored, here or in a method of the draft. The
                copied file is not to blame: the server's disk is full, for example.
        """
        with self._failure():
            private_folder(self._folder)
            private_folder(self._drafts)
            file = NamedTemporaryFile(dir=self._drafts, delete=False)  # noqa: SIM115 - closed below
        try:
            yield _Draft(file, self._path, self._failure)
        finally:
            # A draft that cannot be removed now is removed at the next start.
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                Path(file.name).unlink(missing_ok=True)

    def open(self, digest: str) -> OpenFile | None:
        """Opens a content; ``None`` if it is not stored."""
        try:
            stream = self._path(digest).open("rb")
        except FileNotFoundError:
            return None
        return OpenFile(stream, os.fstat(stream.fileno()).st_size, digest)

    def sweep(self, wanted: Collection[str]) -> int:
        """Removes contents that are not wanted, and drafts that a crash left; returns the number.

        Call it while no sync is running: no record names the copies of a running sync yet.
        """
        removed = 0
        for path in self._folder.glob("*/*"):
            if path.name not in wanted:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest

    @contextmanager
    def _failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise system_failure(error, f"Cannot keep copies of files in {self._folder}") from error


class _Draft:
    def __init__(
        self,
        file: IO[bytes],
        path_of: Callable[[str], Path],
        failure: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._file = file
        self._path_of = path_of
        self._failure = failure

    def write(self, block: bytes) -> None:
        with self._failure():
            self._file.write(block)

    def keep(self, digest: str) -> None:
        with self._failure():
            self._file.flush()
            # Written to disk before its record is, so that a power cut leaves no half copy.
            os.fsync(self._file.fileno())
            self._file.close()
            path = self._path_of(digest)
            private_folder(path.parent)
            Path(self._file.name).replace(path)
