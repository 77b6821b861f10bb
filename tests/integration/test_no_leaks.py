"""For every user and every question: exactly the best passages that the source lets them read.

The server decides from its graph, the oracle from ``permissions.yaml`` by other code. Real HTTP,
real files, and the store's own ranking of the whole index as the truth about "best".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_qdrant import QdrantVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.vector_stores import SimpleVectorStore
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

from managed_sync import AccessChecker, IndexSync, langchain, llama_index
from tests.integration.engines import (
    QUESTIONS,
    Engine,
    K,
    langchain_engine,
    llama_index_engine,
)
from tests.support.company_oracle import Oracle
from tests.support.sample_company import Company


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("langchain-memory", marks=pytest.mark.slow),
        "langchain-qdrant",
        "llama-index",
    ],
)
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


@pytest.mark.parametrize(
    "questions",
    [QUESTIONS[::5], pytest.param(QUESTIONS, marks=pytest.mark.slow)],
    ids=["a few questions", "all questions"],
)
def test_every_user_gets_exactly_the_best_passages_they_may_read_and_the_rest_is_forbidden(
    company: Company, engine: Engine, questions: list[str]
) -> None:
    oracle, references = Oracle(company.folder), company.references()
    readable = {user: oracle.allowed(user) for user in company.users}
    for question in questions:
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
