"""Every vector store that runs in process, and PostgreSQL, filled with the same chunks.

A test that takes the fixture ``store`` runs once for each store and gets a ``FilledStore``:

- ``store.vectorstore``: the LangChain vector store, holding ``chunks.CHUNKS`` (40 objects of 10
  chunks; ``object_id`` and ``chunk_id`` are in the metadata),
- ``store.ranking(query)``: the ids of all chunks as an exhaustive search orders them,
- ``store.exact``: whether the store's filtered search is exhaustive too,
- ``store.asynchronous``: whether it can be searched asynchronously (LangChain's ``PGVector`` over a
  synchronous engine cannot),
- ``store.name``: what the test is called after.

Stores live as long as the session and are shared: do not write into them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from tests.stores import chunks
from tests.stores.chunks import CHUNKS, IDS, METADATA, TEXTS
from tests.support.hash_embeddings import DIMENSIONS, HashEmbeddings


@dataclass(frozen=True)
class FilledStore:
    """A vector store with the chunks in it, and what it ought to answer."""

    name: str
    vectorstore: VectorStore
    exact: bool
    asynchronous: bool = True

    def ranking(self, query: str) -> list[str]:
        return chunks.ranking(query)

    def ranking_within(self, query: str, object_ids: set[str]) -> list[str]:
        return chunks.ranking_within(query, object_ids)


@dataclass
class Place:
    """The location of a store's data, and the resources to close at the end."""

    folder: Path
    request: pytest.FixtureRequest
    closing: ExitStack

    @property
    def postgres(self) -> str:
        address: str = self.request.getfixturevalue("postgres")
        return address


def in_memory(_: Place) -> VectorStore:
    vectorstore = InMemoryVectorStore(HashEmbeddings())
    vectorstore.add_documents(CHUNKS)
    return vectorstore


def qdrant(place: Place) -> VectorStore:
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient
    from qdrant_client.models import Distance, VectorParams

    client = QdrantClient(":memory:")
    place.closing.callback(client.close)
    client.create_collection("chunks", VectorParams(size=DIMENSIONS, distance=Distance.COSINE))
    vectorstore = QdrantVectorStore(client, "chunks", HashEmbeddings())
    vectorstore.add_documents(CHUNKS)
    return vectorstore


def chroma(place: Place) -> VectorStore:
    from langchain_chroma import Chroma

    vectorstore = Chroma("chunks", HashEmbeddings(), persist_directory=str(place.folder))
    vectorstore.add_documents(CHUNKS)
    return vectorstore


def faiss_flat(_: Place) -> VectorStore:
    pytest.importorskip("langchain_community")
    from langchain_community.vectorstores import FAISS

    return FAISS.from_texts(TEXTS, HashEmbeddings(), METADATA, ids=IDS)


def faiss_hnsw(_: Place) -> VectorStore:
    pytest.importorskip("langchain_community")
    from faiss import IndexHNSWFlat
    from langchain_community.docstore import InMemoryDocstore
    from langchain_community.vectorstores import FAISS

    vectorstore = FAISS(HashEmbeddings(), IndexHNSWFlat(DIMENSIONS, 16), InMemoryDocstore(), {})
    vectorstore.add_texts(TEXTS, METADATA, ids=IDS)
    return vectorstore


def lancedb(place: Place) -> VectorStore:
    pytest.importorskip("langchain_community")
    from langchain_community.vectorstores import LanceDB

    vectorstore = LanceDB(uri=str(place.folder), embedding=HashEmbeddings(), mode="append")
    vectorstore.add_texts(TEXTS, METADATA, ids=IDS)
    return vectorstore


def lancedb_indexed(place: Place) -> VectorStore:
    vectorstore = lancedb(place)
    table = vectorstore.get_table()  # type: ignore[attr-defined]
    table.create_index(vector_column_name="vector", index_type="IVF_FLAT", num_partitions=4)
    return vectorstore


def milvus(place: Place) -> VectorStore:
    from tests.support.milvus import langchain_milvus

    vectorstore = langchain_milvus(HashEmbeddings(), place.folder, metric="COSINE")
    vectorstore.add_documents(CHUNKS, ids=IDS)
    return vectorstore


def pgvector(place: Place) -> VectorStore:
    return pgvector_store(place, "plain")


def pgvector_hnsw(place: Place, table: str = "hnsw") -> VectorStore:
    from langchain_postgres.v2.indexes import HNSWIndex

    vectorstore = pgvector_store(place, table, ALWAYS_BY_INDEX)
    vectorstore.apply_vector_index(HNSWIndex())  # type: ignore[attr-defined]
    return vectorstore


# A planner that sees 400 rows would rather read them all.
ALWAYS_BY_INDEX = {"enable_seqscan": "off"}


def pgvector_store(
    place: Place, table: str, settings: dict[str, str] | None = None, *, filled: bool = True
) -> VectorStore:
    from langchain_postgres import Column, PGEngine, PGVectorStore

    engine = PGEngine.from_connection_string(
        f"postgresql+asyncpg://postgres@{place.postgres}/postgres",
        connect_args={"server_settings": settings or {}},
    )
    place.closing.callback(lambda: asyncio.run(engine.close()))
    if filled:
        id_column = Column("langchain_id", "TEXT", nullable=False)
        engine.init_vectorstore_table(table, DIMENSIONS, id_column=id_column)
    vectorstore = PGVectorStore.create_sync(engine, HashEmbeddings(), table)
    if filled:
        vectorstore.add_documents(CHUNKS)
    return vectorstore


def pgvector_collection(place: Place) -> VectorStore:
    from langchain_postgres import PGVector

    # Without `embedding_length`, which the library would keep for all collections of a process.
    vectorstore = PGVector(
        HashEmbeddings(),
        connection=f"postgresql+psycopg://postgres@{place.postgres}/postgres",
    )
    assert vectorstore._engine is not None
    place.closing.callback(vectorstore._engine.dispose)
    vectorstore.add_documents(CHUNKS)
    return vectorstore


# Each store, and whether it searches exhaustively among what its filter leaves.
STORES: dict[Callable[[Place], VectorStore], bool] = {
    in_memory: True,
    qdrant: True,
    chroma: False,
    faiss_flat: True,
    faiss_hnsw: False,
    lancedb: True,
    lancedb_indexed: False,
    milvus: True,
    pgvector: True,
    pgvector_hnsw: False,
    pgvector_collection: True,
}
