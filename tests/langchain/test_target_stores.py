"""The same promises for every store that a LangChain target knows, and for one that it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_chroma import Chroma
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from langchain_postgres import Column, PGEngine, PGVector, PGVectorStore
from langchain_qdrant import QdrantVectorStore
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams
from sqlalchemy import NullPool

from managed_sync.documents import Chunk
from managed_sync.documents.vectors import similarity
from managed_sync.errors import ConfigurationError, IndexingError
from managed_sync.indexing import InspectableTarget, MetadataTarget
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.langchain import LangChainTarget
from managed_sync.langchain.conversion import without_prefix
from managed_sync.langchain.stores import lancedb as lancedb_adapter
from tests.support.community_stores import faiss_store, lancedb_store
from tests.support.milvus import langchain_milvus
from tests.support.postgres import running_postgres

IDS = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(5)]
NAMES = {"project_id": "p1", "integration": "box", "sync_type": "files"}


class Model(DeterministicFakeEmbedding):
    """Counts what it embeds."""

    embedded: list[str] = []  # noqa: RUF012 - a field of a pydantic model, copied for each
    fails: bool = False

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if self.fails:
            raise TimeoutError("the model does not answer")
        self.embedded += texts
        return super().embed_documents(texts)


class UnknownStore(VectorStore):
    """One that adds and deletes, and says nothing of what it holds."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.documents: dict[str, Document] = {}

    @classmethod
    def from_texts(cls, *_: Any, **__: Any) -> UnknownStore:
        raise NotImplementedError

    def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        ids: list[str] = kwargs["ids"]
        self.model.embed_documents([document.page_content for document in documents])
        self.documents |= dict(zip(ids, documents, strict=True))
        return ids

    def delete(self, ids: list[str] | None = None, **_: Any) -> None:
        for key in ids or ():
            self.documents.pop(key, None)

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        return list(self.documents.values())[:k]


def in_memory(model: Model, _: Path) -> VectorStore:
    return InMemoryVectorStore(model)


def qdrant(model: Model, _: Path) -> VectorStore:
    client = QdrantClient(":memory:")
    client.create_collection("c", VectorParams(size=8, distance=Distance.COSINE))
    return QdrantVectorStore(client, "c", model)


def chroma(model: Model, folder: Path) -> VectorStore:
    return Chroma("chunks", model, persist_directory=str(folder))


def faiss(model: Model, _: Path) -> VectorStore:
    return faiss_store(model, 8)


def lancedb(model: Model, folder: Path) -> VectorStore:
    return lancedb_store(model, folder)


def milvus(model: Model, folder: Path) -> VectorStore:
    return langchain_milvus(model, folder)


def pgvector(model: Model, _: Path, postgres: str) -> VectorStore:
    return PGVector(
        model,
        connection=f"postgresql+psycopg://postgres@{postgres}/postgres",
        # Ids are unique in all collections of a database.
        pre_delete_collection=True,
        engine_args={"poolclass": NullPool},
    )


def pgvector_store(
    model: Model, _: Path, postgres: str, columns: Sequence[Column] = ()
) -> VectorStore:
    address = f"postgresql+asyncpg://postgres@{postgres}/postgres"
    engine = PGEngine.from_connection_string(address, poolclass=NullPool)
    table = uuid4().hex
    engine.init_vectorstore_table(table, 8, metadata_columns=list(columns))
    names = [column.name for column in columns]
    return PGVectorStore.create_sync(engine, model, table, metadata_columns=names)


def pgvector_columns(model: Model, folder: Path, postgres: str) -> VectorStore:
    """One that has some of the metadata in columns of their own."""
    columns = [Column("container_id", "TEXT"), Column("page", "INTEGER")]
    return pgvector_store(model, folder, postgres, columns)


ON_POSTGRES = [pgvector, pgvector_store, pgvector_columns]
KNOWN = [in_memory, qdrant, chroma, faiss, lancedb, milvus, *ON_POSTGRES]


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_postgres() as address:
        yield address


@pytest.fixture(scope="module")
def milvus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("milvus")


@pytest.fixture
def model() -> Model:
    return Model(size=8, embedded=[])


@pytest.fixture(params=KNOWN)
def store(request: pytest.FixtureRequest, model: Model, tmp_path: Path) -> VectorStore:
    make: Callable[..., VectorStore] = request.param
    if make in ON_POSTGRES:
        return make(model, tmp_path, request.getfixturevalue("postgres"))
    if make is milvus:  # whose server takes seconds to start
        return make(model, request.getfixturevalue("milvus_folder"))
    return make(model, tmp_path)


def chunk(number: int, text: str = "text", **metadata: str | int) -> Chunk:
    return Chunk(text, {"object_id": "file:1", "chunk_id": IDS[number], **NAMES, **metadata})


def change_writes(
    store: VectorStore,
    patch: pytest.MonkeyPatch,
    change: Callable[[Callable[..., Any]], Callable[..., Any]],
) -> None:
    """Changes the methods by which a store is written into."""
    for name in ("add_documents", "upsert"):
        if hasattr(store, name):
            patch.setattr(store, name, change(getattr(store, name)))


def stored(store: VectorStore) -> dict[str, tuple[str, Mapping[str, Any]]]:
    found = store.similarity_search("q", k=10)
    # Qdrant and Milvus add names of their own when they search; where metadata are columns, all
    # have all names.
    return {
        one.metadata["chunk_id"]: (
            one.page_content,
            {
                key: value
                for key, value in one.metadata.items()
                if key not in {"pk", "_id", "_collection_name"} and value is not None
            },
        )
        for one in found
    }


def test_what_may_be_there_or_not_is_replaced_and_deleted_without_an_error(
    store: VectorStore,
) -> None:
    target = LangChainTarget(store)

    target.delete([IDS[0]])
    target.upsert([chunk(1), chunk(2)], present={IDS[1], IDS[2]})
    target.upsert([chunk(2, "new text"), chunk(3)], present={IDS[2], IDS[3]})
    target.delete([IDS[1], IDS[4]])

    assert {key: text for key, (text, _) in stored(store).items()} == {
        IDS[2]: "new text",
        IDS[3]: "text",
    }


def test_metadata_is_replaced_without_embedding(store: VectorStore, model: Model) -> None:
    target = LangChainTarget(store)
    target.upsert([chunk(1, heading="Old", container_id="folder:a"), chunk(2)])
    model.embedded.clear()

    target.update_metadata([chunk(1, container_id="folder:b", page=3)])

    found = stored(store)
    assert found[IDS[1]] == ("text", chunk(1, container_id="folder:b", page=3).metadata)
    assert found[IDS[2]] == ("text", chunk(2).metadata)
    assert model.embedded == []


def test_it_says_what_it_holds(store: VectorStore) -> None:
    target = LangChainTarget(store)
    target.upsert([chunk(1), chunk(2), chunk(3, integration="drive")])

    assert target.existing_ids([IDS[1], IDS[3], IDS[4]]) == {IDS[1], IDS[3]}
    assert sorted(target.chunk_ids(NAMES) or ()) == [IDS[1], IDS[2]]


def test_chunks_with_other_metadata_than_the_first_ones_can_be_found(store: VectorStore) -> None:
    target = LangChainTarget(store)
    written = [chunk(1), chunk(2, heading="A", page=2), chunk(3, url="u"), chunk(4)]
    for each in written:
        target.upsert([each])

    assert stored(store) == {each.chunk_id: (each.text, each.metadata) for each in written}
    assert sorted(target.chunk_ids(NAMES) or ()) == IDS[1:]


def test_a_model_that_fails_or_gives_other_vectors_removes_nothing(
    store: VectorStore, model: Model
) -> None:
    target = LangChainTarget(store)
    target.upsert([chunk(1), chunk(2)])
    before = stored(store)

    model.fails = True
    with pytest.raises(TimeoutError):
        target.upsert([chunk(1, heading="A"), chunk(2)], present={IDS[1], IDS[2]})
    model.fails = False
    assert stored(store) == before
    with pytest.raises(Exception, match=r"8.*12|12.*8|dimension"):
        target.write([chunk(1, heading="A")], [[0.5] * 12], {IDS[1]})

    assert stored(store) == before


def test_what_is_written_again_after_a_lost_answer_is_there_once(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = LangChainTarget(store)

    def losing_answer(write: Callable[..., Any]) -> Callable[..., Any]:
        def lose_answer(*arguments: Any, **keywords: Any) -> Any:
            write(*arguments, **keywords)
            raise TimeoutError("no answer")

        return lose_answer

    for present in (set[str](), {IDS[1], IDS[2]}):
        with monkeypatch.context() as patch:
            change_writes(store, patch, losing_answer)
            with pytest.raises(TimeoutError):
                target.upsert([chunk(1), chunk(2)], present=present)
    target.upsert([chunk(1), chunk(2), chunk(3)], present={IDS[1], IDS[2]})

    found = target.read(IDS)
    assert found is not None
    assert sorted(each.chunk_id for each in found) == IDS[1:4]
    assert len(store.similarity_search("q", k=10)) == 3


def test_a_store_that_refuses_to_write_keeps_what_it_had(
    store: VectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = LangChainTarget(store)
    target.upsert([chunk(1)])
    before = stored(store)

    def refusing(_: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(*_: Any, **__: Any) -> Any:
            raise PermissionError("read only")

        return refuse

    with monkeypatch.context() as patch:
        change_writes(store, patch, refusing)
        with pytest.raises(PermissionError):
            target.upsert([chunk(1, heading="A"), chunk(2)], present={IDS[1]})

    assert stored(store) == before


def test_vectors_that_are_there_already_are_written_without_embedding(
    store: VectorStore, model: Model
) -> None:
    target = LangChainTarget(store)
    chunks = [chunk(1), chunk(2, "other text")]
    vectors = target.embed(chunks)
    model.embedded.clear()

    target.write(chunks, vectors, set())

    assert model.embedded == []
    assert store.embeddings is model, "the store has its own model again"
    assert stored(store).keys() == {IDS[1], IDS[2]}


def test_it_reads_back_texts_metadata_and_vectors(store: VectorStore) -> None:
    target = LangChainTarget(store)
    written = [chunk(1, heading="A", page=2), chunk(2, "other text"), chunk(3, integration="x")]
    vectors = target.embed(written)
    target.write(written, vectors, set())

    found = {each.chunk_id: each for each in target.read(IDS, vectors=True) or ()}

    assert found.keys() == set(IDS[1:4])
    for each, vector in zip(written, vectors, strict=True):
        kept = found[each.chunk_id]
        metadata = {key: value for key, value in (kept.metadata or {}).items() if value is not None}
        assert (kept.text, metadata) == (each.text, each.metadata)
        assert similarity(kept.vector or [], vector) > 0.999
    assert target.count(NAMES) == 2


def test_rows_are_embedded_and_found_with_their_header_and_read_back_without(
    store: VectorStore, model: Model
) -> None:
    target = LangChainTarget(store)
    target.upsert([chunk(1)])  # makes the fields of a store that has fixed ones
    rows = chunk(2, "| Cable | 7.50 |", table_header="| Item | Price |", start_char=40, end_char=56)

    target.upsert([rows])

    shown = "| Item | Price |\n| Cable | 7.50 |"
    assert model.embedded[-1] == target.embedded_text(rows) == shown
    text, metadata = stored(store)[IDS[2]]
    assert text == shown
    assert text[int(metadata["prefix_chars"]) :] == rows.text
    for kept in target.read([IDS[2]]) or ():
        known = {k: v for k, v in (kept.metadata or {}).items() if v is not None}
        assert (kept.text, known) == (rows.text, rows.metadata)


def test_passages_of_the_same_text_have_vectors_of_their_own_titles_and_keep_their_text(
    store: VectorStore, model: Model
) -> None:
    target = LangChainTarget(store)
    written = [chunk(1, title="Hamburg.pdf"), chunk(2, title="Yokohama.pdf"), chunk(3, title="B")]
    target.upsert(written)
    target.upsert([chunk(2, title="Delft.pdf"), chunk(1, title="Piraeus.pdf")], present=set(IDS))

    assert {"Hamburg\n\ntext", "Yokohama\n\ntext"} <= set(model.embedded)
    assert {text for text, _ in stored(store).values()} == {"text"}
    now = [chunk(1, title="Piraeus.pdf"), chunk(2, title="Delft.pdf"), chunk(3, title="B")]
    kept = {each.chunk_id: each.vector for each in target.read(IDS, vectors=True) or ()}
    for each, vector in zip(now, target.embed(now), strict=True):
        assert similarity(kept[each.chunk_id] or [], vector) > 0.999


def test_another_header_than_that_of_the_chunk_is_not_taken_for_it() -> None:
    changed = StoredChunk(
        "a", "| Rent | Price |\n| Cable | 7.50 |", {"table_header": "| Item | Price |"}
    )

    assert without_prefix(changed).text == changed.text


def test_a_table_of_lancedb_from_before_there_were_headers_takes_them(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = LangChainTarget(lancedb_store(model, tmp_path))
    fields = {"_TEXTS": "table_header", "_NUMBERS": "prefix_chars"}
    for name, new in fields.items():
        before = [field for field in getattr(lancedb_adapter, name) if field != new]
        monkeypatch.setattr(lancedb_adapter, name, tuple(before))
    rows = chunk(2, "| Cable | 7.50 |", table_header="| Item | Price |", start_char=40, end_char=56)

    target.upsert([chunk(1)])
    target.upsert([rows])

    (kept,) = target.read([IDS[2]]) or ()
    known = {key: value for key, value in (kept.metadata or {}).items() if value is not None}
    assert (kept.text, known) == (rows.text, rows.metadata)


def test_the_last_chunk_can_go_and_others_come(store: VectorStore) -> None:
    target = LangChainTarget(store)
    target.upsert([chunk(1)])
    target.delete([IDS[1]])

    target.upsert([chunk(2)])

    assert stored(store).keys() == {IDS[2]}


class KeepsBoth(UnknownStore):
    """One that adds without looking whether an id is there already."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.rows: list[Document] = []

    def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
        self.rows += documents
        ids: list[str] = kwargs["ids"]
        return list(reversed(ids))

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        return [row for row in self.rows if row.id in ids]

    def delete(self, ids: list[str] | None = None, **_: Any) -> None:
        self.rows = [row for row in self.rows if row.id not in (ids or ())]


def test_an_unknown_store_that_keeps_both_is_made_to_keep_the_new_one(model: Model) -> None:
    store = KeepsBoth(model)
    target = LangChainTarget(store)
    target.upsert([chunk(1), chunk(2)])

    target.upsert([chunk(2, page=3), chunk(3)], present={IDS[2], IDS[3]})

    assert sorted((row.id, row.metadata.get("page")) for row in store.rows) == [
        (IDS[1], None),
        (IDS[2], 3),
        (IDS[3], None),
    ]


def test_rows_under_other_ids_than_told_are_removed_again(model: Model) -> None:
    class OwnIds(KeepsBoth):
        def add_documents(self, documents: list[Document], **_: Any) -> list[str]:
            named = [one.model_copy(update={"id": f"own-{one.id}"}) for one in documents]
            self.rows += named
            return [str(one.id) for one in named]

    store = OwnIds(model)
    with pytest.raises(IndexingError, match="keeps the ids"):
        LangChainTarget(store).upsert([chunk(1)])

    assert store.rows == []


def test_rows_of_others_stay_though_the_store_confirms_their_ids_as_well(model: Model) -> None:
    class ConfirmsAll(KeepsBoth):
        def add_documents(self, documents: list[Document], **kwargs: Any) -> list[str]:
            super().add_documents(documents, **kwargs)
            return [str(row.id) for row in self.rows]

    store = ConfirmsAll(model)
    others = [Document("Other.", id=f"other-{number}") for number in range(3)]
    store.rows += others
    with pytest.raises(IndexingError, match="keeps the ids"):
        LangChainTarget(store).upsert([chunk(1)])

    assert store.rows[:3] == others


def test_rows_of_others_stay_though_the_store_gives_them_unasked(model: Model) -> None:
    class GivesAllTwice(KeepsBoth):
        def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
            return [row for row in self.rows for _ in range(2)]

    store = GivesAllTwice(model)
    others = [Document("Other.", id=f"other-{number}") for number in range(3)]
    store.rows += others
    target = LangChainTarget(store)
    target.upsert([chunk(1), chunk(2)])

    target.upsert([chunk(2, page=3)], present={IDS[2]})

    assert store.rows[:3] == others
    assert {row.chunk_id for row in target.read([IDS[1]]) or ()} == {IDS[1]}


def test_a_table_of_lancedb_with_double_rows_is_put_right_by_the_next_write(
    model: Model, tmp_path: Path
) -> None:
    store = lancedb(model, tmp_path)
    target = LangChainTarget(store)
    target.upsert([chunk(1)])
    target.upsert([chunk(1)])  # nobody said that it is there
    assert [each.chunk_id for each in target.read([IDS[1]]) or ()] == [IDS[1]] * 2

    target.upsert([chunk(1)], present={IDS[1]})

    assert [each.chunk_id for each in target.read([IDS[1]]) or ()] == [IDS[1]]


def test_a_table_of_lancedb_from_before_a_metadata_field_gets_the_field(
    model: Model, tmp_path: Path
) -> None:
    target = LangChainTarget(lancedb(model, tmp_path))
    target.upsert([chunk(1)])

    target.upsert([chunk(2, new_field="a", new_number=7)])

    old, new = (each.metadata or {} for each in target.read([IDS[1], IDS[2]]) or ())
    assert (new["new_field"], new["new_number"]) == ("a", 7)
    assert (old["new_field"], old["new_number"]) == (None, None)


def test_vectors_of_faiss_stay_with_their_texts_when_a_write_fails(model: Model) -> None:
    def fail(_: dict[str, Document]) -> None:
        raise OSError("disk full")

    store = faiss_store(model, 8)
    target = LangChainTarget(store)
    target.upsert([chunk(1, "first")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store.docstore, "add", fail)
        with pytest.raises(OSError, match="disk full"):
            target.upsert([chunk(2, "second"), chunk(3, "third")])

    target.upsert([chunk(4, "fourth")])

    assert store.similarity_search("fourth", k=1)[0].page_content == "fourth"


@pytest.mark.parametrize("make", [pgvector_store, pgvector_columns])
@pytest.mark.parametrize("title", ["a\0b", "a\ud800b"])
def test_a_table_whose_metadata_no_condition_can_be_put_to_is_mended(
    make: Callable[..., VectorStore], title: str, model: Model, tmp_path: Path, postgres: str
) -> None:
    store = make(model, tmp_path, postgres)
    target = LangChainTarget(store)
    target.upsert([chunk(1, title=r"C:\u0000"), chunk(2, title="\U0001f600")])
    # As an older version wrote it.
    broken = {"object_id": "file:1", "chunk_id": IDS[3], **NAMES, "title": title}
    store.add_documents([Document("text", id=IDS[3], metadata=broken)], ids=[IDS[3]])

    assert sorted(target.chunk_ids(NAMES) or ()) == IDS[1:4]
    assert target.count(NAMES) == 3
    titles = {key: metadata["title"] for key, (_, metadata) in stored(store).items()}
    assert titles == {IDS[1]: r"C:\u0000", IDS[2]: "\U0001f600", IDS[3]: "a\ufffdb"}


def test_a_store_that_would_replace_everything_with_each_write_is_refused(
    model: Model, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="mode='append'"):
        LangChainTarget(lancedb_store(model, tmp_path, mode="overwrite"))


def test_a_store_that_is_not_known_is_used_through_langchains_interface(model: Model) -> None:
    store = UnknownStore(model)
    target = LangChainTarget(store)
    target.upsert([chunk(1), chunk(2)], present={IDS[1]})
    target.delete([IDS[1]])

    assert list(store.documents) == [IDS[2]]
    assert not target.can_update_metadata
    assert target.existing_ids([IDS[2]]) is None
    assert target.chunk_ids(NAMES) is None


def test_it_has_the_abilities_that_it_is_asked_for(model: Model) -> None:
    target = LangChainTarget(InMemoryVectorStore(model))

    assert isinstance(target, MetadataTarget)
    assert isinstance(target, InspectableTarget)
    assert target.fingerprint == "Model(size=8)"
