"""The retriever of a workspace's index: vectors and keywords, fused, reranked and joined.

The bundled embedding is the weaker ranking, so it counts half as much as keywords do. See
``docs/benchmarks/answers.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from managed_sync.access import AccessChecker
from managed_sync.cli.vector_index import keyword_index
from managed_sync.cli.workspace import Workspace

if TYPE_CHECKING:
    from langchain_qdrant import QdrantVectorStore

    from managed_sync.langchain import PermissionAwareRetriever

__all__ = ["index_retriever"]


def index_retriever(
    workspace: Workspace, store: QdrantVectorStore, checker: AccessChecker, passages: int
) -> PermissionAwareRetriever:
    """Returns the retriever that commands search with.

    A workspace that was indexed before there was a keyword index is searched by vectors alone.

    Args:
        workspace: The workspace.
        store: Its open index.
        checker: The access checker.
        passages: The number of passages to return.
    """
    from managed_sync.langchain import PermissionAwareRetriever
    from managed_sync.retrieval.hybrid import Fusion
    from managed_sync.retrieval.reranking import BundledReranker

    keywords = keyword_index(workspace)
    hybrid: dict[str, Any] = (
        {} if keywords is None else {"fusion": Fusion(vector_weight=0.5), "expand": 1}
    )
    return PermissionAwareRetriever(
        vectorstore=store,
        keywords=keywords,
        reranker=BundledReranker(),
        checker=checker,
        k=passages,
        **hybrid,
    )
