"""The contenders of the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langchain_core.documents import Document

from benchmarks.retrieval.vector_store import ExactVectorStore

__all__ = ["OURS", "UNFILTERED", "Contender", "unfiltered"]

OURS = "managed-sync"
UNFILTERED = "unfiltered search"


@dataclass(frozen=True)
class Contender:
    """One way to retrieve with permissions.

    Attributes:
        name: As the tables show it.
        retrieve: From a question and a subject to documents, best first.
    """

    name: str
    retrieve: Callable[[str, str], Sequence[Document]]


def unfiltered(store: ExactVectorStore, k: int, *, beside: str) -> Contender:
    """The store's own retriever, which asks nobody: what the others' latency is compared with.

    Each process has its own, beside the contenders that it is compared with.
    """
    retriever = store.as_retriever(search_kwargs={"k": k})
    return Contender(
        f"{UNFILTERED}, beside {beside}", lambda question, _: retriever.invoke(question)
    )
