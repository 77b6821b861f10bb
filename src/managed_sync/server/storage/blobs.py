"""Contents by digest: copies in a folder, each under the sha256 of what is in it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from managed_sync.private_files import private_folder
from managed_sync.server.sources.file_tree import OpenFile

__all__ = ["Blobs"]

# A copy that no record names yet belongs to a sync that is under way, unless it is this old.
_GRACE_SECONDS = 24 * 3600


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
        """Whether a content is there; if it is, it stays for as long as a sync may take."""
        try:
            os.utime(self._path(digest))
        except FileNotFoundError:
            return False
        return True

    @contextmanager
    def draft(self) -> Iterator[_Draft]:
        """A copy to be written."""
        private_folder(self._folder)
        private_folder(self._drafts)
        with NamedTemporaryFile(dir=self._drafts, delete=False) as file:
            draft = _Draft(file, self._path)
            try:
                yield draft
            finally:
                Path(file.name).unlink(missing_ok=True)

    def open(self, digest: str) -> OpenFile | None:
        """Opens a content; ``None`` when it is not there."""
        try:
            stream = self._path(digest).open("rb")
        except FileNotFoundError:
            return None
        return OpenFile(stream, os.fstat(stream.fileno()).st_size, digest)

    def sweep(self, wanted: Collection[str]) -> int:
        """Removes the contents that nobody wants, and drafts that a crash left; says how many."""
        youngest = time.time() - _GRACE_SECONDS
        removed = 0
        for path in self._folder.glob("*/*"):
            if path.name not in wanted and path.stat().st_mtime < youngest:
                path.unlink(missing_ok=True)
                removed += 1
        return removed

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest


class _Draft:
    def __init__(self, file: IO[bytes], path_of: Callable[[str], Path]) -> None:
        self._file = file
        self._path_of = path_of

    def write(self, block: bytes) -> None:
        self._file.write(block)

    def keep(self, digest: str) -> None:
        self._file.flush()
        # On the disk before the record that names it is, so that a power cut leaves no half copy.
        os.fsync(self._file.fileno())
        self._file.close()
        path = self._path_of(digest)
        private_folder(path.parent)
        Path(self._file.name).replace(path)
