"""The shared part of both frameworks' search tools: name, description, and answer for a model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from managed_sync.retrieval.citations import numbered

__all__ = ["TOOL_DESCRIPTION", "TOOL_NAME", "tool_answer"]

TOOL_NAME = "search_documents"
TOOL_DESCRIPTION = (
    "Searches the documents that the user may read and returns numbered passages. "
    "Cite a passage by its number in brackets, such as [1]."
)


def tool_answer(passages: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """Returns passages for a model to read: numbered, each under its title, page and address."""
    return numbered(passages) or "No passages found."
