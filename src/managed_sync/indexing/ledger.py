"""What is in the index, on disk.

What this module promises: every chunk that may be in the index is written down before it is
written there, and forgotten only after it was removed there. So a run that stops anywhere leaves
nothing behind that a later run does not know of.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from managed_sync.errors import IndexingError

__all__ = ["Ledger", "Pipeline"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    pipeline TEXT NOT NULL,
    record_id TEXT NOT NULL,
    version TEXT,
    failure TEXT,
    PRIMARY KEY (pipeline, record_id)
);
CREATE TABLE IF NOT EXISTS chunks (
    pipeline TEXT NOT NULL,
    record_id TEXT NOT NULL,
    chunk_id TEXT NOT NULL,
    PRIMARY KEY (pipeline, record_id, chunk_id)
);
"""


class Pipeline(NamedTuple):
    """What names a pipeline."""

    project_id: str
    integration: str
    sync_type: str

    def __str__(self) -> str:
        return "/".join(self)


class Ledger:
    """The records of an index, with their versions and chunks, in an SQLite file.

    Args:
        path: The file; it is made if it is not there, its folder too.

    Raises:
        IndexingError: The file cannot be opened, or is not a ledger.
    """

    def __init__(self, path: str | Path) -> None:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.executescript(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise IndexingError(
                f"The ledger {path} cannot be used ({error}). If it is damaged, remove it together "
                f"with the index, and index anew."
            ) from None

    def versions(self, pipeline: Pipeline) -> dict[str, str | None]:
        """Each known record's version; ``None`` where the index does not hold it wholly."""
        rows = self._database.execute(
            "SELECT record_id, version FROM records WHERE pipeline = ?", (str(pipeline),)
        )
        return dict(rows.fetchall())

    def failures(self, pipeline: Pipeline) -> dict[str, str]:
        """The reason for each record that could not be indexed in its present version."""
        rows = self._database.execute(
            "SELECT record_id, failure FROM records WHERE pipeline = ? AND failure IS NOT NULL",
            (str(pipeline),),
        )
        return dict(rows.fetchall())

    def counts(self, pipeline: Pipeline) -> tuple[int, int]:
        """How many records of the pipeline have chunks in the index, and how many chunks."""
        row = self._database.execute(
            "SELECT count(DISTINCT record_id), count(*) FROM chunks WHERE pipeline = ?",
            (str(pipeline),),
        ).fetchone()
        return row[0], row[1]

    def chunk_ids(self, pipeline: Pipeline, record_id: str) -> set[str]:
        """Every chunk of a record that may be in the index."""
        rows = self._database.execute(
            "SELECT chunk_id FROM chunks WHERE pipeline = ? AND record_id = ?",
            (str(pipeline), record_id),
        )
        return {chunk_id for (chunk_id,) in rows}

    def begin(self, pipeline: Pipeline, record_id: str, chunk_ids: Iterable[str]) -> None:
        """Writes down that these chunks are about to be written, and the record is in between."""
        with self._database:
            self._database.execute(
                "INSERT INTO records (pipeline, record_id) VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET version = NULL",
                (str(pipeline), record_id),
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO chunks VALUES (?, ?, ?)",
                [(str(pipeline), record_id, chunk_id) for chunk_id in chunk_ids],
            )

    def finish(
        self, pipeline: Pipeline, record_id: str, version: str, removed: Sequence[str]
    ) -> None:
        """Writes down that the record is indexed in this version, and which chunks are gone."""
        with self._database:
            self._database.executemany(
                "DELETE FROM chunks WHERE pipeline = ? AND record_id = ? AND chunk_id = ?",
                [(str(pipeline), record_id, chunk_id) for chunk_id in removed],
            )
            self._database.execute(
                "UPDATE records SET version = ?, failure = NULL "
                "WHERE pipeline = ? AND record_id = ?",
                (version, str(pipeline), record_id),
            )

    def fail(self, pipeline: Pipeline, record_id: str, reason: str) -> None:
        """Writes down why a record is not indexed in its present version; it is tried again."""
        with self._database:
            self._database.execute(
                "INSERT INTO records (pipeline, record_id, failure) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET failure = excluded.failure",
                (str(pipeline), record_id, reason),
            )

    def forget(self, pipeline: Pipeline, record_id: str) -> None:
        """Forgets a record whose chunks were removed."""
        with self._database:
            for table in ("chunks", "records"):
                self._database.execute(
                    f"DELETE FROM {table} WHERE pipeline = ? AND record_id = ?",  # noqa: S608
                    (str(pipeline), record_id),
                )

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
