"""Contents by digest: copies in a folder, each under the sha256 of what is in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from managed_sync.private_files import private_folder
from managed_sync.server.domain import OpenFile
from managed_sync.server.troubles import system_trouble

__all__ = ["Blobs"]


class Blobs:
    """A folder of contents.

    A copy appears whole or not at all, and never changes: so what is served is what was synced,
    whatever happens to the source meanwhile.

    Args:
        folder: Made when missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._drafts = folder / "drafts"

    def holds(self, digest: str) -> bool:
        """Returns whether a content is there.

        Raises:
            TroubleError: The folder cannot be read.
        """
        with self._trouble():
            return self._path(digest).exists()

    @contextmanager
    def draft(self) -> Iterator[_Draft]:
        """A copy to be written.

        Raises:
            TroubleError: It cannot be kept, here or in one of its methods. Then the disk of the
                server is full, for instance, and the file that is copied is not to blame.
        """
        with self._trouble():
            private_folder(self._folder)
            private_folder(self._drafts)
            file = NamedTemporaryFile(dir=self._drafts, delete=False)  # noqa: SIM115 - closed below
        try:
            yield _Draft(file, self._path, self._trouble)
        finally:
            # What cannot be removed is swept up at the next start.
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                Path(file.name).unlink(missing_ok=True)

    def open(self, digest: str) -> OpenFile | None:
        """Opens a content; ``None`` when it is not there."""
        try:
            stream = self._path(digest).open("rb")
        except FileNotFoundError:
            return None
        return OpenFile(stream, os.fstat(stream.fileno()).st_size, digest)

    def sweep(self, wanted: Collection[str]) -> int:
        """Removes the contents that nobody wants, and drafts that a crash left; says how many.

        To be called while no sync is under way, whose copies no record names yet.
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
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise system_trouble(error, f"Cannot keep copies of files in {self._folder}") from error


class _Draft:
    def __init__(
        self,
        file: IO[bytes],
        path_of: Callable[[str], Path],
        trouble: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._file = file
        self._path_of = path_of
        self._trouble = trouble

    def write(self, block: bytes) -> None:
        with self._trouble():
            self._file.write(block)

    def keep(self, digest: str) -> None:
        with self._trouble():
            self._file.flush()
            # On the disk before the record that names it, so that a power cut leaves no half copy.
            os.fsync(self._file.fileno())
            self._file.close()
            path = self._path_of(digest)
            private_folder(path.parent)
            Path(self._file.name).replace(path)
