"""A row of a store that lost what belongs to it: a run writes it again, and no other is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import uuid4

import chromadb
import pytest
from langchain_chroma import Chroma
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_qdrant import QdrantVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.vector_stores.chroma import ChromaVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore as LlamaIndexQdrant
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams

from managed_sync.indexing import IndexTarget
from managed_sync.langchain import LangChainTarget
from managed_sync.llama_index import LlamaIndexTarget
from tests.support.community_stores import faiss_store
from tests.support.indexing import syncing
from tests.support.record_source import ChangingSource

FILES: Any = {"integration": "box", "sync_type": "files"}
MODEL = DeterministicFakeEmbedding(size=8)


class Store(NamedTuple):
    """A target, and what it writes into."""

    target: IndexTarget
    behind: Any


def llama_index(vector_store: Any) -> VectorStoreIndex:
    storage = StorageContext.from_defaults(vector_store=vector_store)
    return VectorStoreIndex([], storage_context=storage, embed_model=MockEmbedding(embed_dim=8))


def langchain_qdrant() -> Store:
    client = QdrantClient(":memory:")
    client.create_collection("c", VectorParams(size=8, distance=Distance.COSINE))
    return Store(LangChainTarget(QdrantVectorStore(client, "c", MODEL)), client)


def llama_index_qdrant() -> Store:
    client = QdrantClient(":memory:")
    return Store(LlamaIndexTarget(llama_index(LlamaIndexQdrant("c", client=client))), client)


# Chroma's clients in memory share what they hold, and their settings, with all others of a process.
FOLDER = TemporaryDirectory()


def chroma_client() -> Any:
    return chromadb.PersistentClient(f"{FOLDER.name}/{uuid4().hex}")


def langchain_chroma() -> Store:
    store = Chroma("chunks", MODEL, client=chroma_client())
    return Store(LangChainTarget(store), store._collection)


def llama_index_chroma() -> Store:
    collection = chroma_client().create_collection("chunks")
    store = ChromaVectorStore(chroma_collection=collection)
    return Store(LlamaIndexTarget(llama_index(store)), collection)


def langchain_faiss() -> Store:
    store = faiss_store(MODEL, 8)
    return Store(LangChainTarget(store), store)


def llama_index_simple() -> Store:
    index = VectorStoreIndex([], embed_model=MockEmbedding(embed_dim=8))
    return Store(LlamaIndexTarget(index), index)


def point(client: Any) -> Any:
    return client.scroll("c", limit=1)[0][0].id


def payload(**values: Any) -> Callable[[Any], None]:
    """Changes a point's payload; nothing takes all of it away."""

    def damage(client: Any) -> None:
        if values:
            client.set_payload("c", values, [point(client)])
        else:
            client.overwrite_payload("c", {}, [point(client)])

    return damage


def row(**values: Any) -> Callable[[Any], None]:
    """Puts another row in the place of one of Chroma's."""

    def damage(collection: Any) -> None:
        first = collection.get()["ids"][0]
        collection.delete([first])
        collection.add(ids=[first], embeddings=[[1.0] * 8], **values)

    return damage


def fields(collection: Any) -> None:
    first = collection.get()["ids"][0]
    collection.update(ids=[first], metadatas=[{"_node_content": "{"}])


def document(store: Any) -> None:
    store.docstore._dict.pop(next(iter(store.docstore._dict)))


def node(index: Any) -> None:
    index.docstore.delete_document(next(iter(index.docstore.docs)))


def metadata_beside(index: Any) -> None:
    held = index.vector_store.data.metadata_dict
    held.pop(next(iter(held)))


DAMAGED = [
    *[
        (make, payload(**values))
        for make in (langchain_qdrant, llama_index_qdrant)
        for values in (
            {},
            {"metadata": [1], "_node_content": [1]},
            {"page_content": None, "_node_content": None},
            {"page_content": 5, "metadata": "x", "_node_content": "{"},
        )
    ],
    *[
        (make, row(**values))
        for make in (langchain_chroma, llama_index_chroma)
        for values in ({"documents": ["x"]}, {"metadatas": [{"a": 1}]})
    ],
    (llama_index_chroma, fields),
    (langchain_faiss, document),
    (llama_index_simple, node),
    (llama_index_simple, metadata_beside),
]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("way", ["run", "verify"])
@pytest.mark.parametrize(("make", "damage"), DAMAGED)
def test_a_damaged_row_is_seen_and_written_again(
    make: Callable[[], Store], damage: Callable[[Any], None], way: str, tmp_path: Path
) -> None:
    store, source = (
        make(),
        ChangingSource(**{f"f{number}": f"Text {number}." for number in range(5)}),
    )
    sync = syncing(source, store.target, tmp_path / "ledger.db")
    sync.run(**FILES)
    damage(store.behind)

    if way == "verify":
        report = sync.verify(**FILES, repair=True)
        assert (report.missing_chunks or 0) + (report.changed_chunks or 0) == 1
        # Chroma keeps a key that nobody knows until the row is looked at once more.
        sync.run(**FILES)
    else:
        assert sync.run(**FILES).updated == 1
        sync.run(**FILES)

    assert sync.verify(**FILES).agrees


def foreign_point(client: Any) -> None:
    client.upsert("c", [PointStruct(id=str(uuid4()), vector=[1.0] * 8, payload=None)])


def foreign_row(collection: Any) -> None:
    collection.add(ids=["another's"], embeddings=[[1.0] * 8], documents=["x"])


@pytest.mark.parametrize(
    ("make", "add", "count"),
    [
        (langchain_qdrant, foreign_point, lambda client: client.count("c").count),
        (llama_index_qdrant, foreign_point, lambda client: client.count("c").count),
        (langchain_chroma, foreign_row, lambda collection: collection.count()),
        (llama_index_chroma, foreign_row, lambda collection: collection.count()),
    ],
)
def test_a_damaged_row_of_others_is_left_alone(
    make: Callable[[], Store],
    add: Callable[[Any], None],
    count: Callable[[Any], int],
    tmp_path: Path,
) -> None:
    store = make()
    sync = syncing(ChangingSource(a="One."), store.target, tmp_path / "ledger.db")
    sync.run(**FILES)
    add(store.behind)

    sync.run(**FILES)
    assert sync.verify(**FILES, repair=True).agrees
    assert count(store.behind) == 2
