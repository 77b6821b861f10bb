"""Two tenants, two pipelines of each, and the same record ids in all of them, in one collection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.storage import StorageContext
from llama_index.core.vector_stores import SimpleVectorStore
from sqlalchemy import NullPool, create_engine, text

from managed_sync import AccessChecker, IndexSync, ManagedSyncClient, acting_as, langchain
from managed_sync import llama_index as li
from managed_sync.errors import ConfigurationError
from managed_sync.retrieval.effects import Strategy
from tests.integration.tenants import PIPELINES, TICKETS, USERS, Tenants, clients, text_of
from tests.support.community_stores import faiss_store, lancedb_store
from tests.support.hash_embeddings import DIMENSIONS, HashEmbedding, HashEmbeddings
from tests.support.postgres import running_postgres

STRATEGIES: tuple[Strategy, ...] = ("auto", "post_filter", "pre_filter")
QUESTION = "What is the budget?"


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with running_postgres() as address:
        yield address


@dataclass
class Index:
    """A collection of either framework, and how it is written and read."""

    target: Any
    retriever: Callable[..., Any]
    filtered: Callable[[AccessChecker, str], list[str]]

    def texts(self, checker: AccessChecker, user: str, **settings: Any) -> list[str]:
        """Returns the results of a user for every way to ask."""
        with acting_as(user):
            found, report = self.retriever(checker, **settings).retrieve_with_report(QUESTION)
            assert report.returned == len(found)
        return sorted(_text(one) for one in found)


def _text(passage: Any) -> str:
    text: str = getattr(passage, "page_content", None) or passage.node.get_content()
    return text.splitlines()[-1]


def of_langchain(store: VectorStore) -> Index:
    def retriever(checker: AccessChecker, **settings: Any) -> Any:
        return langchain.PermissionAwareRetriever(vectorstore=store, checker=checker, **settings)

    def filtered(checker: AccessChecker, user: str) -> list[str]:
        keep = langchain.PermissionFilter(checker=checker).for_subject(user)
        documents = store.similarity_search(QUESTION, k=100)
        kept = keep.compress_documents(documents, QUESTION)
        assert kept == asyncio.run(keep.acompress_documents(documents, QUESTION))
        return sorted(map(_text, kept))

    return Index(langchain.LangChainTarget(store), retriever, filtered)


def of_llama_index(store: Any) -> Index:
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex([], storage_context=context, embed_model=HashEmbedding())

    def retriever(checker: AccessChecker, **settings: Any) -> Any:
        return li.PermissionAwareRetriever(index, checker=checker, **settings)

    def filtered(checker: AccessChecker, user: str) -> list[str]:
        keep = li.PermissionPostprocessor(checker=checker).for_subject(user)
        nodes = index.as_retriever(similarity_top_k=100).retrieve(QUESTION)
        kept = keep.postprocess_nodes(nodes)
        assert len(kept) == len(asyncio.run(keep.apostprocess_nodes(nodes)))
        return sorted(map(_text, kept))

    return Index(li.LlamaIndexTarget(index), retriever, filtered)


def in_memory(_: Path) -> Index:
    return of_langchain(InMemoryVectorStore(HashEmbeddings()))


def qdrant(_: Path) -> Index:
    from langchain_qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient
    from qdrant_client.models import Distance, VectorParams

    client = QdrantClient(":memory:")
    client.create_collection("chunks", VectorParams(size=DIMENSIONS, distance=Distance.COSINE))
    return of_langchain(QdrantVectorStore(client, "chunks", HashEmbeddings()))


def chroma(folder: Path) -> Index:
    from langchain_chroma import Chroma

    return of_langchain(Chroma("chunks", HashEmbeddings(), persist_directory=str(folder)))


def faiss(_: Path) -> Index:
    return of_langchain(faiss_store(HashEmbeddings(), DIMENSIONS))


def lancedb(folder: Path) -> Index:
    return of_langchain(lancedb_store(HashEmbeddings(), folder))


def new_database(postgres: str) -> str:
    name = f"d{uuid4().hex}"
    server = create_engine(
        f"postgresql+psycopg://postgres@{postgres}/postgres", isolation_level="AUTOCOMMIT"
    )
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    server.dispose()
    return f"postgresql+psycopg://postgres@{postgres}/{name}"


def pgvector_collection(database: str, name: str) -> Index:
    from langchain_postgres import PGVector

    store = PGVector(
        HashEmbeddings(),
        connection=database,
        collection_name=name,
        engine_args={"poolclass": NullPool},
    )
    return of_langchain(store)


def pgvector(_: Path, postgres: str) -> Index:
    return pgvector_collection(new_database(postgres), "chunks")


def pgvector_store(_: Path, postgres: str) -> Index:
    from langchain_postgres import PGEngine, PGVectorStore

    address = f"postgresql+asyncpg://postgres@{postgres}/postgres"
    engine = PGEngine.from_connection_string(address, poolclass=NullPool)
    table = uuid4().hex
    engine.init_vectorstore_table(table, DIMENSIONS)
    return of_langchain(PGVectorStore.create_sync(engine, HashEmbeddings(), table))


def llama_index_simple(_: Path) -> Index:
    return of_llama_index(SimpleVectorStore())


def llama_index_qdrant(_: Path) -> Index:
    from llama_index.vector_stores.qdrant import QdrantVectorStore
    from qdrant_client import QdrantClient

    return of_llama_index(QdrantVectorStore("chunks", client=QdrantClient(":memory:")))


def llama_index_chroma(folder: Path) -> Index:
    from chromadb import PersistentClient
    from llama_index.vector_stores.chroma import ChromaVectorStore

    return of_llama_index(
        ChromaVectorStore(PersistentClient(str(folder)).create_collection("chunks"))
    )


ON_POSTGRES = [pgvector, pgvector_store]
STORES = [
    in_memory,
    qdrant,
    chroma,
    faiss,
    lancedb,
    *ON_POSTGRES,
    llama_index_simple,
    llama_index_qdrant,
    llama_index_chroma,
]


# One of each kind; the others repeat what they say about one tenant's writes.
ON_FEW_STORES = pytest.mark.parametrize(
    "index",
    [
        make
        if make in {in_memory, chroma, pgvector, llama_index_simple}
        else pytest.param(make, marks=pytest.mark.slow)
        for make in STORES
    ],
    ids=lambda make: make.__name__,
    indirect=True,
)


@pytest.fixture(params=STORES, ids=lambda make: make.__name__)
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Index:
    make: Callable[..., Index] = request.param
    if make in ON_POSTGRES:
        return make(tmp_path, request.getfixturevalue("postgres"))
    return make(tmp_path / "store")


class World:
    """Two tenants, their clients, and one ledger for all of them."""

    def __init__(self, tenants: Tenants, clients: dict[str, ManagedSyncClient], ledger: Path):
        self.tenants = tenants
        self.clients = clients
        self._ledger = ledger

    def sync(self, project: str, index: Index) -> IndexSync:
        return IndexSync(self.clients[project], index.target, self._ledger)

    def run(self, project: str, index: Index, **options: Any) -> None:
        for integration in PIPELINES:
            report = self.sync(project, index).run(
                integration=integration, sync_type="tickets", **options
            )
            assert report.failed == ()

    def checker(self, project: str) -> AccessChecker:
        return AccessChecker(self.clients[project])

    def texts(self, project: str) -> list[str]:
        """All that the project's tickets say."""
        pipelines = self.tenants.tickets[project].values()
        return sorted(text for pipeline in pipelines for text in pipeline.values())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    tenants = Tenants()
    with ExitStack() as stack:
        base_url = stack.enter_context(tenants.served())
        made = stack.enter_context(clients(base_url))
        yield World(tenants, made, tmp_path / "ledger.db")


def test_tenants_in_one_collection_never_meet(index: Index, world: World) -> None:
    for project in USERS:
        world.run(project, index)

    for project, user in USERS.items():
        checker = world.checker(project)
        for strategy in STRATEGIES:
            found = index.texts(checker, user, k=50, strategy=strategy)
            assert found == world.texts(project), "all of the own tickets, and no other"
            assert len(index.texts(checker, user, k=4, strategy=strategy)) == 4
        assert index.filtered(checker, user) == world.texts(project)
    for project, user in (("north", USERS["south"]), ("south", USERS["north"])):
        assert index.texts(world.checker(project), user, k=50) == []
        assert index.filtered(world.checker(project), user) == []


@ON_FEW_STORES
def test_no_tenant_overwrites_or_deletes_what_is_anothers(index: Index, world: World) -> None:
    for project in USERS:
        world.run(project, index)
    south = world.tenants.tickets["south"]
    south["zendesk"].clear()
    south["jira"] = {key: f"{text} Or more." for key, text in south["jira"].items()}
    world.run("south", index, allow_deletions=True)
    names: dict[str, Any] = {"integration": "zendesk", "sync_type": "tickets"}
    world.sync("south", index).verify(**names, repair=True)
    world.sync("south", index).apply(["0", "1"], **names)
    world.run("south", index, rebuild=True, allow_deletions=True)

    for project, user in USERS.items():
        found = index.texts(world.checker(project), user, k=50, strategy="post_filter")
        assert found == world.texts(project)
    for integration in PIPELINES:
        names = {"integration": integration, "sync_type": "tickets"}
        assert world.sync("north", index).verify(**names).agrees


@ON_FEW_STORES
def test_an_index_of_one_tenant_is_closed_to_the_other(index: Index, world: World) -> None:
    world.run("south", index)

    with acting_as(USERS["north"]):
        retriever = index.retriever(world.checker("north"), k=50)
        found, report = retriever.retrieve_with_report(QUESTION)

    assert found == []
    assert report.foreign == 2 * TICKETS
    assert (report.checks, report.withheld, report.unidentified) == (0, 0, 0)
    assert index.filtered(world.checker("north"), USERS["north"]) == []


def test_a_second_collection_of_pgvector_takes_no_chunk_of_the_first(
    world: World, postgres: str, tmp_path: Path
) -> None:
    database = new_database(postgres)
    blue, green = (pgvector_collection(database, name) for name in ("blue", "green"))
    names: dict[str, Any] = {"integration": "zendesk", "sync_type": "tickets"}
    world.sync("north", blue).run(**names)
    other = IndexSync(world.clients["north"], green.target, tmp_path / "green.db")

    with pytest.raises(ConfigurationError, match="Use another database, or PGVectorStore"):
        other.run(**names)
    # The ledger of the second one names chunks that it tried to write, and now removes them.
    tickets = world.tenants.tickets["north"]["zendesk"]
    kept = dict(tickets)
    tickets.clear()
    other.run(**names, allow_deletions=True)
    tickets |= kept

    checker, user = world.checker("north"), USERS["north"]
    assert green.texts(checker, user, k=50) == []
    expected = [text_of("north", "zendesk", number) for number in range(TICKETS)]
    assert blue.texts(checker, user, k=50) == expected
    assert world.sync("north", blue).verify(**names).agrees
    # Another pipeline can share the database.
    other.run(integration="jira", sync_type="tickets")
    assert len(green.texts(checker, user, k=50)) == TICKETS
    assert blue.texts(checker, user, k=50) == expected
