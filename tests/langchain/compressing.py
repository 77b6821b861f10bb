"""A chain around a retriever: LangChain's compression, which drops the config on its way."""

from __future__ import annotations

from typing import Any

from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_classic.retrievers.document_compressors import DocumentCompressorPipeline
from langchain_core.documents.compressor import BaseDocumentCompressor
from langchain_core.retrievers import BaseRetriever

__all__ = ["compressing"]


class KeepsAll(BaseDocumentCompressor):
    def compress_documents(self, documents: Any, query: str, callbacks: Any = None) -> Any:
        return documents


def compressing(inner: BaseRetriever) -> Any:
    """Returns a retriever over another one that keeps all of its documents."""
    return ContextualCompressionRetriever(
        base_retriever=inner,
        base_compressor=DocumentCompressorPipeline(transformers=[KeepsAll()]),
    )
