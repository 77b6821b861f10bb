"""Retrievers whose decisions are noted, beside the whole ranking of their index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_qdrant import QdrantVectorStore
from llama_index.core import VectorStoreIndex

from managed_sync import AccessChecker, RetrievalReport, langchain, llama_index
from managed_sync.access.check_requests import Decision
from managed_sync.sample_company import questions
from tests.support.sample_company import Company

K = 6
# A third of them, of every kind.
QUESTIONS = [entry.question for entry in questions()][::3]


class Passage(NamedTuple):
    chunk_id: str
    object_id: str


class Engine(NamedTuple):
    """A retriever over an index, and the index's whole ranking without permissions."""

    retrieve: Callable[[str, str], tuple[list[Passage], RetrievalReport]]
    rank_everything: Callable[[str], list[Passage]]
    decisions: list[Decision]

    def denied_since(self, user: str) -> list[str]:
        """Returns the objects that were denied to the user since the last call."""
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
