"""The work of the indexing benchmark: a pipeline that is made up as it is read, and what counts."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from managed_sync.bundled_embedding import load_bundled_model
from managed_sync.models import FileContent, SyncedRecord

__all__ = ["WORDS", "ChunkTable", "CountingModel", "GeneratedPipeline"]

_START = datetime(2026, 1, 1, tzinfo=UTC)
WORDS = [f"word{number:03}" for number in range(1_000)]
_WORDS_IN_A_FILE = 150
_ONE_IN = 100


class GeneratedPipeline:
    """So many text files, of which one in a hundred changes with each revision.

    Nothing is kept, so that what a process takes is the contender's.
    """

    project_id = "benchmark"

    def __init__(self, records: int, revision: int) -> None:
        self._records = records
        self._revision = revision
        self.downloads = 0

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        """All records."""
        for number in range(self._records):
            yield SyncedRecord(
                id=f"r{number:07}",
                integration=integration,
                sync_type=sync_type,
                source_id=f"/{number:07}.txt",
                data={"name": f"{number:07}.txt", "mimeType": "text/plain", "parentId": "all"},
                updated_at=_START + timedelta(days=self._revision_of(number)),
            )

    def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
        """The bytes of one file."""
        self.downloads += 1
        number = int(record_id[1:])
        chance = random.Random(number * 1_000 + self._revision_of(number))
        text = " ".join(chance.choices(WORDS, k=_WORDS_IN_A_FILE))
        return FileContent(data=text.encode(), content_type="text/plain")

    def _revision_of(self, number: int) -> int:
        return self._revision if number % _ONE_IN == 0 else 0


class CountingModel:
    """The bundled embedding model, counting."""

    def __init__(self) -> None:
        self._model = load_bundled_model()
        self.texts = 0

    def vectors(self, texts: Sequence[str]) -> list[list[float]]:
        """One for each text."""
        self.texts += len(texts)
        return self._model.embed(list(texts))


class ChunkTable:
    """Chunks in an SQLite file, for stores of both frameworks, so that none is kept in memory."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS chunks "
            "(id TEXT PRIMARY KEY, document TEXT, text TEXT, metadata TEXT, vector BLOB)"
        )
        self._database.execute("CREATE INDEX IF NOT EXISTS by_document ON chunks (document)")

    def put(self, rows: Sequence[tuple[str, str, str, dict[str, object], list[float]]]) -> None:
        """Writes chunks: id, document, text, metadata, vector."""
        with self._database:
            self._database.executemany(
                "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        key,
                        document,
                        text,
                        json.dumps(metadata),
                        np.array(vector, dtype=np.float32).tobytes(),
                    )
                    for key, document, text, metadata, vector in rows
                ],
            )

    def delete(self, ids: Sequence[str]) -> None:
        """Removes chunks."""
        with self._database:
            self._database.executemany("DELETE FROM chunks WHERE id = ?", [(key,) for key in ids])

    def delete_document(self, document: str) -> None:
        """Removes the chunks of a document."""
        with self._database:
            self._database.execute("DELETE FROM chunks WHERE document = ?", (document,))

    def texts(self) -> Iterator[str]:
        """All texts, to compare contenders by."""
        for (text,) in self._database.execute("SELECT text FROM chunks ORDER BY text"):
            yield text
