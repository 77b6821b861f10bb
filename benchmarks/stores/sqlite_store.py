"""The least that an embedded store needs, to measure the others against."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

__all__ = ["SqliteStore"]

_NOTHING = np.empty((0, 1), dtype=np.float32)


class SqliteStore(VectorStore):
    """Rows in SQLite, their vectors in one NumPy array, searched exhaustively.

    Args:
        folder: Where the database is, or will be.
        embeddings: Must give unit vectors.
    """

    def __init__(self, folder: Path, embeddings: Embeddings) -> None:
        folder.mkdir(exist_ok=True)
        self._embeddings = embeddings
        self._database = sqlite3.connect(folder / "index.db")
        self._database.executescript(
            """
            PRAGMA journal_mode = WAL;
            CREATE TABLE IF NOT EXISTS chunks (
                row INTEGER PRIMARY KEY, id TEXT UNIQUE, object_id TEXT, text TEXT, metadata TEXT,
                vector BLOB
            );
            CREATE INDEX IF NOT EXISTS by_object ON chunks (object_id);
            """
        )
        read = self._database.execute("SELECT row, vector FROM chunks ORDER BY row").fetchall()
        self._rows = np.array([row for row, _ in read], dtype=np.int64)
        self._vectors = np.frombuffer(b"".join(vector for _, vector in read), dtype=np.float32)
        self._vectors = self._vectors.reshape(len(read), -1) if read else _NOTHING

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> SqliteStore:
        """Not needed here."""
        raise NotImplementedError

    def add_texts(
        self, texts: Any, metadatas: Any = None, *, ids: Any = None, **_: Any
    ) -> list[str]:
        """Adds chunks; those that are there already are an error."""
        vectors = np.array(self._embeddings.embed_documents(texts), dtype=np.float32)
        rows = [
            (key, metadata["object_id"], text, json.dumps(metadata), vector.tobytes())
            for key, text, metadata, vector in zip(ids, texts, metadatas, vectors, strict=True)
        ]
        insert = "INSERT INTO chunks (id, object_id, text, metadata, vector) VALUES (?, ?, ?, ?, ?)"
        with self._database:
            self._database.executemany(insert, rows)
        return list(ids)

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """The best ``k`` chunks."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, objects: list[str] | None = None
    ) -> list[tuple[Document, float]]:
        """The best ``k`` chunks with their cosine, of these objects only if there are any."""
        question = np.array(self._embeddings.embed_query(query), dtype=np.float32)
        rows, vectors = self._rows, self._vectors
        if objects is not None:
            select = "SELECT row FROM chunks WHERE object_id IN (SELECT value FROM json_each(?))"
            allowed = [row for (row,) in self._database.execute(select, [json.dumps(objects)])]
            places = np.searchsorted(rows, np.sort(allowed))
            rows, vectors = rows[places], vectors[places]
        similarity = vectors @ question
        best = np.argpartition(-similarity, min(k, len(rows) - 1))[:k]
        best = best[np.argsort(-similarity[best])]
        select = "SELECT text, metadata FROM chunks WHERE row = ?"
        found = []
        for row, score in zip(rows[best].tolist(), similarity[best].tolist(), strict=True):
            text, metadata = self._database.execute(select, [row]).fetchone()
            found.append((Document(page_content=text, metadata=json.loads(metadata)), score))
        return found
