"""A keyword index that ``IndexSync`` keeps in step with a vector store."""

from managed_sync.keywords.index import KeywordHit, KeywordIndex

__all__ = ["KeywordHit", "KeywordIndex"]
