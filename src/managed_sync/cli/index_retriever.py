"""The retriever of a workspace's index: vectors and keywords, fused, reranked and joined.

The bundled embedding is the weaker ranking, so it counts half as much as keywords do. Another model
counts as much as they do, and the reranker moves passages less far. See
``docs/benchmarks/answers.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from managed_sync.access import AccessChecker
from managed_sync.bundled_embedding import BUNDLED_NAME
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
    is_bundled = workspace.embedding == BUNDLED_NAME
    fusion = Fusion(vector_weight=0.5 if is_bundled else 1.0)
    hybrid: dict[str, Any] = {} if keywords is None else {"fusion": fusion, "expand": 1}
    reranker = BundledReranker() if is_bundled else BundledReranker(rank_weight=1.2)
    return PermissionAwareRetriever(
        vectorstore=store,
        keywords=keywords,
        reranker=reranker,
        checker=checker,
        k=passages,
        **hybrid,
    )
