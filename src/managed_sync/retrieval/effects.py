"""What a retrieval plan asks of its driver, and what it is to bring."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.report import RetrievalReport

__all__ = [
    "Check",
    "Inspect",
    "ListObjects",
    "Outcome",
    "Plan",
    "Reach",
    "RetrievalSpec",
    "Search",
    "Step",
    "Strategy",
]

Strategy: TypeAlias = Literal["auto", "post_filter", "pre_filter"]


@dataclass(frozen=True, slots=True)
class Search:
    """Step: the best ``limit`` hits of the store, among all or those of some objects only.

    Answered by hits, or by ``None`` if the store cannot be searched among some objects only.
    """

    limit: int
    objects: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Inspect:
    """Step: how far searches reach, among all or those of some objects; answered by a ``Reach``.

    Attributes:
        objects: The objects, or ``None`` for all.
        count: Whether the number of chunks is wanted too, where it takes an effort.
    """

    objects: tuple[str, ...] | None = None
    count: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the searches of a store reach. The default is a store about which nothing is known.

    Attributes:
        exhaustive: Whether a search is known to compare the question with every chunk, so that its
            order is exact and a result shorter than asked for is all there is.
        chunks: How many chunks there are at most, if the store can count them.
    """

    exhaustive: bool = False
    chunks: int | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Step: which of these objects the subject may read; answered by one ``Decision`` each."""

    object_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListObjects:
    """Step: all objects that the subject may read; answered by ``ListedObjects``.

    If there is no trustworthy list, ``AccessCheckError`` is thrown into the plan.
    """


@dataclass(frozen=True, slots=True)
class RetrievalSpec:
    """What a retrieval is to bring.

    Attributes:
        k: Passages.
        overfetch: The first search asks for ``k`` times this many hits.
        max_candidates: No search asks for more hits than this.
        max_per_object: Passages of one object at most.
        can_return_more: Whether a search that asks for more can bring more.
        trusts_lists: Whether lists are known to lack nothing.
        certain: Whether to go by nothing that may lack something, such as other lists.
    """

    k: int
    overfetch: int = 5
    max_candidates: int = 10_000
    max_per_object: int | None = None
    can_return_more: bool = True
    trusts_lists: bool = False
    certain: bool = False


Step: TypeAlias = Search | Inspect | Check | ListObjects
# The allowed hits, and a report that the driver completes.
Outcome: TypeAlias = tuple[Sequence[Hit], RetrievalReport]
Plan: TypeAlias = Generator[Step, Any, Outcome]
