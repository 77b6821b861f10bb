"""A LlamaIndex index as the target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import chromadb
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import BasePydanticVectorStore
from llama_index.vector_stores.chroma import ChromaVectorStore
from llama_index.vector_stores.qdrant import QdrantVectorStore
from qdrant_client import QdrantClient

from managed_sync import IndexSync
from managed_sync.documents import Chunk
from managed_sync.documents.vectors import similarity
from managed_sync.errors import ConfigurationError
from managed_sync.llama_index import LlamaIndexTarget
from tests.support.indexing import AT_ONCE
from tests.support.llama_index_postgres import llama_index_pgvector
from tests.support.milvus import llama_index_milvus
from tests.support.postgres import running_postgres
from tests.support.record_source import ChangingSource

IDS = [f"00000000-0000-0000-0000-00000000000{n}" for n in range(5)]
NAMES = {"project_id": "p1", "integration": "box", "sync_type": "files"}


class Model(MockEmbedding):
    """Counts what it embeds, and can be told to fail."""

    embedded: list[str] = []  # noqa: RUF012 - a field of a pydantic model, copied for each
    fails: bool = False

    def _get_text_embedding(self, text: str) -> list[float]:
        if self.fails:
            raise TimeoutError("the model does not answer")
        self.embedded.append(text)
        return super()._get_text_embedding(text)


def chunk(number: int, text: str = "text", **metadata: str | int) -> Chunk:
    offsets = {"start_char": 0, "end_char": len(text), "chunk_index": number}
    ids = {"object_id": "file:1", "chunk_id": IDS[number]}
    return Chunk(text, {**ids, **NAMES, **offsets, **metadata})


@pytest.fixture
def model() -> Model:
    return Model(embed_dim=8, embedded=[])


def test_a_store_of_the_other_framework_is_refused_by_name() -> None:
    store: Any = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    with pytest.raises(
        ConfigurationError, match=r"got InMemoryVectorStore. Pass LangChainTarget\("
    ):
        LlamaIndexTarget(store)


@pytest.fixture(scope="module")
def milvus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("milvus")


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_postgres() as address:
        yield address


@pytest.fixture(params=["simple", "qdrant", "chroma", "milvus", "pgvector"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BasePydanticVectorStore:
    if request.param == "simple":
        return SimpleVectorStore()
    if request.param == "qdrant":
        return QdrantVectorStore("chunks", client=QdrantClient(":memory:"))
    if request.param == "milvus":
        return llama_index_milvus(8, request.getfixturevalue("milvus_folder"))
    if request.param == "pgvector":
        store: BasePydanticVectorStore = llama_index_pgvector(
            8, request.getfixturevalue("postgres")
        )
        return store
    collection = chromadb.PersistentClient(str(tmp_path)).create_collection("chunks")
    return ChromaVectorStore(chroma_collection=collection)


@pytest.fixture
def index(store: BasePydanticVectorStore, model: Model) -> VectorStoreIndex:
    storage = StorageContext.from_defaults(vector_store=store)
    return VectorStoreIndex([], storage_context=storage, embed_model=model)


def stored(index: VectorStoreIndex) -> dict[str, str]:
    found = index.as_retriever(similarity_top_k=100).retrieve("q")
    return {scored.node.node_id: scored.node.get_content() for scored in found}


def test_chunks_are_written_under_their_ids_replaced_and_removed(index: VectorStoreIndex) -> None:
    target = LlamaIndexTarget(index)

    target.upsert([chunk(1), chunk(2)])
    target.upsert([chunk(2, "new text"), chunk(3)], present={IDS[2]})
    target.delete([IDS[1]])
    target.delete([IDS[0]])

    assert stored(index) == {IDS[2]: "new text", IDS[3]: "text"}


def test_what_may_be_there_and_is_not_is_no_error_in_an_empty_store(
    index: VectorStoreIndex,
) -> None:
    target = LlamaIndexTarget(index)

    target.delete([IDS[0]])
    target.upsert([chunk(1)], present={IDS[1]})

    assert stored(index) == {IDS[1]: "text"}


def test_a_chunk_that_cannot_be_embedded_again_stays_as_it_was(
    index: VectorStoreIndex, model: Model
) -> None:
    target = LlamaIndexTarget(index)
    target.upsert([chunk(1)])
    model.fails = True

    with pytest.raises(TimeoutError):
        target.upsert([chunk(1, "new text")], present={IDS[1]})

    model.fails = False
    assert stored(index) == {IDS[1]: "text"}


def test_vectors_of_another_length_remove_nothing(index: VectorStoreIndex) -> None:
    target = LlamaIndexTarget(index)
    target.upsert([chunk(1)])

    with pytest.raises(Exception, match=r"12 dimensions.* of 8|dimension of 8, got 12"):
        target.write([chunk(1, page=2)], [[0.5] * 12], {IDS[1]})

    assert stored(index) == {IDS[1]: "text"}


def test_what_is_written_again_after_a_lost_answer_is_there_once(
    index: VectorStoreIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    if type(index.vector_store).__name__ == "PGVectorStore":
        pytest.skip("Its adapter writes in a transaction of its own.")
    target, insert_nodes = LlamaIndexTarget(index), index.insert_nodes

    def lose_answer(*arguments: Any, **keywords: Any) -> None:
        insert_nodes(*arguments, **keywords)
        raise TimeoutError("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(index, "insert_nodes", lose_answer)
        with pytest.raises(TimeoutError):
            target.upsert([chunk(1), chunk(2)])
    target.upsert([chunk(1, page=2), chunk(2)], present={IDS[1], IDS[2]})

    found = target.read(IDS) or ()
    assert sorted((one.chunk_id, (one.metadata or {}).get("page")) for one in found) == [
        (IDS[1], 2),
        (IDS[2], None),
    ]


def test_it_reads_back_texts_metadata_and_vectors(index: VectorStoreIndex) -> None:
    target = LlamaIndexTarget(index)
    written = [chunk(1, heading="A", page=2), chunk(2, "other text"), chunk(3, integration="x")]
    vectors = target.embed(written)
    target.write(written, vectors, set())

    found = {each.chunk_id: each for each in target.read(IDS, vectors=True) or ()}

    assert found.keys() == set(IDS[1:4])
    for each, vector in zip(written, vectors, strict=True):
        kept = found[each.chunk_id]
        assert (kept.text, kept.metadata) == (each.text, each.metadata)
        assert similarity(kept.vector or [], vector) > 0.999
    assert target.count(NAMES) == 2


def test_verification_reads_what_the_store_holds(
    store: BasePydanticVectorStore, model: Model, tmp_path: Path
) -> None:
    target = LlamaIndexTarget(store, model)
    source = ChangingSource(a="One.", b="Two.")
    sync = IndexSync(source, target, tmp_path / "ledger.db", retries=AT_ONCE)
    sync.run(integration="box", sync_type="files")

    found = sync.verify(integration="box", sync_type="files")

    assert found.agrees
    assert (found.missing_chunks, found.changed_chunks, found.duplicate_chunks) == (0, 0, 0)
    assert found.wrong_vectors == 0


class UnknownStore(BasePydanticVectorStore):
    """One that keeps every row it is given, or the old one of the same id."""

    stores_text: bool = True
    keeps_both: bool = True
    refuses: str = ""
    rows: list[Any] = []  # noqa: RUF012 - a field of a pydantic model, copied for each

    @property
    def client(self) -> None:
        return None

    def add(self, nodes: Sequence[Any], **_: Any) -> list[str]:
        for node in nodes:
            if self.refuses and node.node_id == self.refuses:
                raise PermissionError("read only")
            if self.keeps_both or not self.get_nodes([node.node_id]):
                self.rows.append(node)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        raise NotImplementedError

    def delete_nodes(self, node_ids: list[str] | None = None, *_: Any, **__: Any) -> None:
        self.rows[:] = [row for row in self.rows if row.node_id not in (node_ids or ())]

    def get_nodes(self, node_ids: list[str] | None = None, *_: Any) -> list[Any]:
        return [row for row in self.rows if row.node_id in (node_ids or ())]

    def query(self, query: Any, **_: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("keeps_both", [True, False])
class TestAnUnknownStore:
    def test_its_nodes_are_replaced_whatever_it_does_by_itself(
        self, model: Model, keeps_both: bool
    ) -> None:
        store = UnknownStore(keeps_both=keeps_both, rows=[])
        target = LlamaIndexTarget(store, model)
        target.upsert([chunk(1), chunk(2)])

        target.upsert([chunk(2, page=3), chunk(3)], present={IDS[2], IDS[3]})

        assert sorted((row.node_id, row.metadata.get("page")) for row in store.rows) == [
            (IDS[1], None),
            (IDS[2], 3),
            (IDS[3], None),
        ]

    def test_its_text_is_there_even_if_it_refuses_the_new_node(
        self, model: Model, keeps_both: bool
    ) -> None:
        store = UnknownStore(keeps_both=keeps_both, rows=[])
        target = LlamaIndexTarget(store, model)
        target.upsert([chunk(1)])
        store.refuses = IDS[1]

        with pytest.raises(PermissionError):
            target.upsert([chunk(1, page=3)], present={IDS[1]})

        assert [row.get_content() for row in store.rows] == ["text"]
        store.refuses = ""
        target.upsert([chunk(1, page=3)], present={IDS[1]})
        assert [(row.node_id, row.metadata["page"]) for row in store.rows] == [(IDS[1], 3)]
        target.delete([IDS[1]])
        assert store.rows == []

    def test_it_cannot_say_whether_metadata_changed(
        self, model: Model, keeps_both: bool, tmp_path: Path
    ) -> None:
        target = LlamaIndexTarget(UnknownStore(keeps_both=keeps_both, rows=[]), model)
        sync = IndexSync(ChangingSource(a="One."), target, tmp_path / "ledger.db", retries=AT_ONCE)
        sync.run(integration="box", sync_type="files")

        found = sync.verify(integration="box", sync_type="files")

        assert (found.missing_chunks, found.changed_chunks, found.unknown_chunks) == (0, None, None)
        assert found.agrees


def test_metadata_is_replaced_without_embedding(index: VectorStoreIndex, model: Model) -> None:
    target = LlamaIndexTarget(index)
    target.upsert([chunk(1, url="https://old", container_id="folder:a")])
    model.embedded.clear()

    target.update_metadata([chunk(1, container_id="folder:b", page=3)])

    assert model.embedded == []
    (found,) = index.as_retriever(similarity_top_k=5).retrieve("q")
    assert found.node.get_content() == "text"
    assert found.node.metadata == chunk(1, container_id="folder:b", page=3).metadata


def test_it_says_what_it_holds(index: VectorStoreIndex) -> None:
    target = LlamaIndexTarget(index)
    assert target.existing_ids([IDS[1]]) == set()
    target.upsert([chunk(1), chunk(2), chunk(3, integration="drive")])

    assert target.existing_ids([IDS[1], IDS[3], IDS[4]]) == {IDS[1], IDS[3]}
    assert sorted(target.chunk_ids(NAMES) or ()) == [IDS[1], IDS[2]]


def test_titles_and_headings_go_into_the_vector_and_dates_do_not(index: VectorStoreIndex) -> None:
    text = LlamaIndexTarget(index).embedded_text

    assert text(chunk(1, title="A")) != text(chunk(1, title="B"))
    assert text(chunk(1, heading="A")) != text(chunk(1, heading="B"))
    assert "| Item | Price |" in text(chunk(1, table_header="| Item | Price |"))
    assert text(chunk(1, updated_at="2026")) == text(chunk(1, updated_at="2027"))


def test_a_vector_store_with_a_model_is_enough(
    store: BasePydanticVectorStore, model: Model, tmp_path: Path
) -> None:
    target = LlamaIndexTarget(store, model)
    source = ChangingSource(a="One.", b="Two.")
    sync = IndexSync(source, target, tmp_path / "ledger.db", retries=AT_ONCE)
    assert sync.run(integration="box", sync_type="files").added == 2
    source.move("a", "elsewhere")
    del source.files["b"]

    report = sync.run(integration="box", sync_type="files")

    assert (report.updated, report.deleted, report.chunks_embedded) == (1, 1, 0)
    assert sync.verify(integration="box", sync_type="files").agrees


def test_a_store_without_a_model_and_an_index_with_two_are_refused(
    index: VectorStoreIndex, store: BasePydanticVectorStore, model: Model
) -> None:
    with pytest.raises(ConfigurationError, match="embed_model is required"):
        LlamaIndexTarget(store)
    with pytest.raises(ConfigurationError, match="leave embed_model out"):
        LlamaIndexTarget(index, model)
