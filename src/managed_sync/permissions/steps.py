"""What a retrieval plan asks of its driver, and what it is to bring."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from managed_sync.permissions.ranking import Hit
from managed_sync.permissions.report import RetrievalReport

__all__ = ["Check", "ListObjects", "Outcome", "Plan", "Search", "Step", "Strategy", "Wanted"]

Strategy: TypeAlias = Literal["auto", "post_filter", "pre_filter"]


@dataclass(frozen=True, slots=True)
class Search:
    """Step: the best ``limit`` hits of the store, among all or those of some objects only."""

    limit: int
    objects: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Step: which of these objects the subject may read; answered by a set."""

    object_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListObjects:
    """Step: all objects that the subject may read; answered by ``ListedObjects``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a retrieval is to bring.

    Attributes:
        k: Passages.
        overfetch: The first search asks for ``k`` times this many hits.
        max_candidates: No search asks for more hits than this.
        max_per_object: Passages of one object at most.
        widens: Whether a search that asks for more can bring more.
    """

    k: int
    overfetch: int = 5
    max_candidates: int = 10_000
    max_per_object: int | None = None
    widens: bool = True


Step: TypeAlias = Search | Check | ListObjects
# The allowed hits, and a report that the driver completes.
Outcome: TypeAlias = tuple[tuple[Hit, ...], RetrievalReport]
Plan: TypeAlias = Generator[Step, Any, Outcome]
