"""For every user and every question: exactly the best passages that the source lets them read.

The server decides from its graph, the oracle from ``permissions.yaml`` by other code. Real HTTP,
real files, and the store's own ranking of the whole index as the truth about "best".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_qdrant import QdrantVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.vector_stores import SimpleVectorStore
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from managed_sync import AccessChecker, IndexSync, RetrievalReport, langchain, llama_index
from managed_sync.access.check_requests import Decision
from managed_sync.sample_company import questions
from tests.conftest import Company
from tests.support.company_oracle import Oracle

K = 6
QUESTIONS = [entry.question for entry in questions()]


class Passage(NamedTuple):
    chunk_id: str
    object_id: str


class Engine(NamedTuple):
    """A retriever over an index, and the index's whole ranking without permissions."""

    retrieve: Callable[[str, str], tuple[list[Passage], RetrievalReport]]
    rank_everything: Callable[[str], list[Passage]]
    decisions: list[Decision]

    def denied_since(self, user: str) -> list[str]:
        """What was denied to the user since the last call."""
        denied = [one.object_id for one in self.decisions if not one.allowed]
        assert {one.subject for one in self.decisions} == {user}
        self.decisions.clear()
        return denied


def langchain_engine(company: Company, store: InMemoryVectorStore | QdrantVectorStore) -> Engine:
    decisions: list[Decision] = []
    # The embedded server never cuts its lists off.
    checker = AccessChecker(company.client, on_decision=decisions.append, list_limit=None)
    retriever = langchain.PermissionAwareRetriever(vectorstore=store, checker=checker, k=K)

    def passages(documents: Sequence[Document]) -> list[Passage]:
        return [Passage(d.metadata["chunk_id"], d.metadata["object_id"]) for d in documents]

    def retrieve(question: str, user: str) -> tuple[list[Passage], RetrievalReport]:
        documents, report = retriever.retrieve_with_report(question, subject=user)
        return passages(documents), report

    return Engine(
        retrieve,
        lambda question: passages(store.similarity_search(question, k=10_000)),
        decisions,
    )


def llama_index_engine(company: Company, index: VectorStoreIndex) -> Engine:
    decisions: list[Decision] = []
    # The embedded server never cuts its lists off.
    checker = AccessChecker(company.client, on_decision=decisions.append, list_limit=None)
    retriever = llama_index.PermissionAwareRetriever(index, checker=checker, k=K)
    everything = index.as_retriever(similarity_top_k=10_000)

    def retrieve(question: str, user: str) -> tuple[list[Passage], RetrievalReport]:
        nodes, report = retriever.retrieve_with_report(question, subject=user)
        return [Passage(n.node.node_id, n.node.metadata["object_id"]) for n in nodes], report

    def rank_everything(question: str) -> list[Passage]:
        nodes = everything.retrieve(question)
        return [Passage(n.node.node_id, n.node.metadata["object_id"]) for n in nodes]

    return Engine(retrieve, rank_everything, decisions)


@pytest.fixture(scope="module", params=["langchain-memory", "langchain-qdrant", "llama-index"])
def engine(
    request: pytest.FixtureRequest, company: Company, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    folder: Path = tmp_path_factory.mktemp("index")
    if request.param == "llama-index":
        index = VectorStoreIndex(
            [],
            storage_context=StorageContext.from_defaults(vector_store=SimpleVectorStore()),
            embed_model=llama_index.BundledEmbedding(),
        )
        company.index(
            IndexSync(company.client, llama_index.LlamaIndexTarget(index), folder / "ledger.db")
        )
        yield llama_index_engine(company, index)
        return
    embeddings = langchain.BundledEmbeddings()
    store: InMemoryVectorStore | QdrantVectorStore = InMemoryVectorStore(embeddings)
    client = QdrantClient(path=str(folder / "qdrant"))
    if request.param == "langchain-qdrant":
        client.create_collection("chunks", VectorParams(size=256, distance=Distance.COSINE))
        store = QdrantVectorStore(client, "chunks", embeddings)
    company.index(IndexSync(company.client, langchain.LangChainTarget(store), folder / "ledger.db"))
    yield langchain_engine(company, store)
    client.close()


def test_there_are_enough_questions_and_users(company: Company) -> None:
    assert len(QUESTIONS) >= 30
    assert len(company.users) == 8


def test_every_user_gets_exactly_the_best_passages_they_may_read_and_the_rest_is_forbidden(
    company: Company, engine: Engine
) -> None:
    oracle, references = Oracle(company.folder), company.references()
    readable = {user: oracle.allowed(user) for user in company.users}
    for question in QUESTIONS:
        ranking = engine.rank_everything(question)
        for user in company.users:
            found, report = engine.retrieve(question, user)

            leaked = [p for p in found if references[p.object_id] not in readable[user]]
            assert leaked == [], f"{user} was shown what they may not read: {leaked}"
            expected = [p for p in ranking if references[p.object_id] in readable[user]][:K]
            assert found == expected, f"{user} missed passages for {question!r}"
            assert report.complete
            denied = [references[one] for one in engine.denied_since(user)]
            assert not readable[user] & set(denied), f"{user} was denied what they may read"


def test_an_unknown_user_gets_nothing(engine: Engine) -> None:
    found, report = engine.retrieve(QUESTIONS[0], "stranger@elsewhere.example")

    assert found == []
    assert report.complete
    assert report.withheld == report.candidates
    engine.denied_since("stranger@elsewhere.example")


def test_the_server_and_the_oracle_agree_on_every_object(company: Company) -> None:
    oracle, references = Oracle(company.folder), company.references()
    for user in company.users:
        listed = {
            references[object_id]
            for object_id in company.client.list_objects(user, "viewer")
            if object_id in references
        }
        checked = {
            references[object_id]
            for object_id in AccessChecker(company.client).allowed(user, references)
        }

        assert listed == checked == oracle.allowed(user)
