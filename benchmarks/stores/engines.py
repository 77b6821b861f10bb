"""The stores, each opened in a folder."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from benchmarks.stores.report import DIMENSIONS
from benchmarks.stores.sqlite_store import SqliteStore

__all__ = ["OPEN"]


def open_qdrant(folder: Path, embeddings: Embeddings) -> VectorStore:
    """Qdrant's local mode."""
    from langchain_qdrant import QdrantVectorStore  # noqa: PLC0415
    from qdrant_client import QdrantClient  # noqa: PLC0415
    from qdrant_client.models import Distance, VectorParams  # noqa: PLC0415

    warnings.simplefilter("ignore")
    client = QdrantClient(path=str(folder))
    if not client.collection_exists("chunks"):
        client.create_collection("chunks", VectorParams(size=DIMENSIONS, distance=Distance.COSINE))
    return QdrantVectorStore(client, "chunks", embeddings, validate_collection_config=False)


def open_chroma(folder: Path, embeddings: Embeddings) -> VectorStore:
    """Chroma in process, with cosine as its distance and its default settings."""
    from langchain_chroma import Chroma  # noqa: PLC0415

    return Chroma(
        "chunks",
        embeddings,
        persist_directory=str(folder),
        collection_configuration={"hnsw": {"space": "cosine"}},
    )


def open_lancedb(folder: Path, embeddings: Embeddings) -> VectorStore:
    """LanceDB in process, without a vector index."""
    from langchain_community.vectorstores import LanceDB  # noqa: PLC0415

    return LanceDB(uri=str(folder), embedding=embeddings, mode="append")


OPEN: dict[str, Callable[[Path, Embeddings], VectorStore]] = {
    "Qdrant, local mode": open_qdrant,
    "Chroma": open_chroma,
    "LanceDB": open_lancedb,
    "SQLite and NumPy": SqliteStore,
}
