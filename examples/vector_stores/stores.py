"""The same index on Qdrant, Chroma and PostgreSQL with pgvector.

Whatever the store: its documents keep their metadata, and it keeps the ids that it is given. These
three are known to the retriever, which then searches among a user's own objects inside the store.
Nothing about permissions is written into any of them, so a change of permissions touches none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from uuid import uuid4

from langchain_core.vectorstores import VectorStore

from managed_sync.bundled_embedding import BUNDLED_DIMENSIONS
from managed_sync.errors import ConfigurationError
from managed_sync.langchain import BundledEmbeddings

__all__ = ["chroma", "pgvector", "qdrant"]


@contextmanager
def qdrant() -> Iterator[VectorStore]:
    """Qdrant's local mode; ``QdrantClient(url=...)`` is a server, and nothing else changes."""
    from langchain_qdrant import QdrantVectorStore  # noqa: PLC0415 - only the chosen store is needed
    from qdrant_client import QdrantClient  # noqa: PLC0415
    from qdrant_client.models import Distance, VectorParams  # noqa: PLC0415

    with closing(QdrantClient(":memory:")) as client:
        client.create_collection(
            "chunks", VectorParams(size=BUNDLED_DIMENSIONS, distance=Distance.COSINE)
        )
        yield QdrantVectorStore(client, "chunks", BundledEmbeddings())


@contextmanager
def chroma() -> Iterator[VectorStore]:
    """Chroma inside this process; ``chromadb.HttpClient`` is a server, and nothing else changes."""
    from chromadb import EphemeralClient  # noqa: PLC0415
    from chromadb.config import Settings  # noqa: PLC0415
    from langchain_chroma import Chroma  # noqa: PLC0415

    store = Chroma(
        # All in-process clients see the same collections.
        f"chunks-{uuid4()}",
        BundledEmbeddings(),
        client=EphemeralClient(Settings(anonymized_telemetry=False)),
        collection_metadata={"hnsw:space": "cosine"},
    )
    try:
        yield store
    finally:
        store.delete_collection()


@contextmanager
def pgvector(address: str) -> Iterator[VectorStore]:
    """A table in your PostgreSQL, removed at the end; the extension ``vector`` must be available.

    Args:
        address: Such as ``postgresql://user:password@localhost:5432/database``.

    Raises:
        ConfigurationError: The database cannot be used.
    """
    from langchain_postgres import Column, PGEngine, PGVectorStore  # noqa: PLC0415

    table = f"chunks_{uuid4().hex}"
    rest = address.partition("://")[2]
    try:
        engine = PGEngine.from_connection_string(f"postgresql+asyncpg://{rest}")
        # Chunks have ids of their own, which are not UUIDs.
        id_column = Column("langchain_id", "TEXT", nullable=False)
        engine.init_vectorstore_table(table, BUNDLED_DIMENSIONS, id_column=id_column)
    except Exception as error:  # noqa: BLE001 - of the driver's words, some quote the password
        raise ConfigurationError(
            f"PostgreSQL cannot be used ({type(error).__name__}); check the address, the account, "
            "and that the extension 'vector' is available."
        ) from None
    try:
        yield PGVectorStore.create_sync(engine, BundledEmbeddings(), table)
    finally:
        engine.drop_table(table)
        asyncio.run(engine.close())
