"""The plan of a retrieval: searches, checks and lists, and a report of what was done."""

from managed_sync.retrieval.effects import Strategy
from managed_sync.retrieval.hybrid import Fusion, KeywordPassage, KeywordSource
from managed_sync.retrieval.object_filter import CustomObjectFilter, ObjectFilter
from managed_sync.retrieval.report import CollectedReports, Doubt, RetrievalReport, collect_reports

__all__ = [
    "CollectedReports",
    "CustomObjectFilter",
    "Doubt",
    "Fusion",
    "KeywordPassage",
    "KeywordSource",
    "ObjectFilter",
    "RetrievalReport",
    "Strategy",
    "collect_reports",
]
