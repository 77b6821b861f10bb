"""Hybrid retrieval: two rankings, by vectors and by keywords, fused into one."""

from managed_sync.retrieval.hybrid.fusion import Fusion
from managed_sync.retrieval.hybrid.keyword_search import KeywordPassage, KeywordSource

__all__ = ["Fusion", "KeywordPassage", "KeywordSource"]
