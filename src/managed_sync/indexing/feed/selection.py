"""A choice of records to index again though they did not change."""

from __future__ import annotations

from collections.abc import Collection

from managed_sync.errors import ConfigurationError
from managed_sync.models import SyncedRecord

__all__ = ["Selection"]


class Selection:
    """Records by name, and those in a folder.

    A name is a record's id, its id in the source, or a folder: by its path, such as ``/Plans``,
    which selects everything below it, or by its id, which selects the records directly in it.

    Args:
        names: The names.

    Raises:
        ConfigurationError: ``names`` is a single string.
    """

    def __init__(self, names: Collection[str]) -> None:
        if isinstance(names, str):
            raise ConfigurationError(
                f"again must be a collection such as [{names!r}], got a string."
            )
        self._names = {name.rstrip("/") or "/" for name in names}
        self._paths = tuple(f"{name.rstrip('/')}/" for name in self._names)
        self._unused = set(self._names)

    def __bool__(self) -> bool:
        return bool(self._names)

    def has(self, record: SyncedRecord) -> bool:
        """Returns whether a record is selected."""
        parent = record.data.get("parentId")
        own = {record.id, record.source_id, parent if isinstance(parent, str) else record.id}
        found = own & self._names
        found |= {
            path.rstrip("/") or "/" for path in self._paths if record.source_id.startswith(path)
        }
        self._unused -= found
        return bool(found)

    def note_folder(self, folder: SyncedRecord) -> None:
        """Notes a listed folder, which may be named and yet be empty."""
        self._unused -= {folder.id, folder.source_id.rstrip("/")}

    def raise_if_unused(self, pipeline: str) -> None:
        """Raises if a name selects nothing that was listed.

        Raises:
            ConfigurationError: The message has the names.
        """
        if self._unused:
            raise ConfigurationError(
                f"{pipeline} has no record and no folder called {', '.join(sorted(self._unused))}. "
                f"Name a record by its id or its path in the source, a folder by its path."
            )
