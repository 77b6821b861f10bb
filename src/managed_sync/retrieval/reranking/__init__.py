"""Rerankers that are installed with this package."""

from managed_sync.retrieval.reranking.bundled import BundledReranker

__all__ = ["BundledReranker"]
