"""Searches of a keyword index, for a retrieval plan.

Guarantees:

- A keyword index that cannot be searched, or returns something else than passages, makes the
  retrieval raise. It never silently becomes a retrieval by vectors alone.
- The error names the index and the kind of fault, but not the fault's own message, which may hold
  texts of passages.

See ``docs/decisions/0043-retrieval-fusion.md``.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from managed_sync.access.object_ids import OWN_FIELD, ObjectIds
from managed_sync.documents.metadata_condition import (
    MetadataCondition,
    is_metadata_condition,
    joined,
)
from managed_sync.documents.stored_chunk import ChunkPlace
from managed_sync.errors import ConfigurationError, KeywordSearchError, ManagedSyncError
from managed_sync.retrieval.diversity import Diversity
from managed_sync.retrieval.effects import Inspect, Reach, Search
from managed_sync.retrieval.object_filter import CustomObjectFilter, ObjectFilter
from managed_sync.retrieval.ranking import Hit, hit_of
from managed_sync.retrieval.refinement.neighbors import NeighborSource, Passage

__all__ = [
    "KeywordNeighbors",
    "KeywordPassage",
    "KeywordQuestion",
    "KeywordSearch",
    "KeywordSource",
    "keyword_source",
]


class KeywordPassage(Protocol):
    """A passage that a keyword index found."""

    @property
    def chunk_id(self) -> str:
        """The id of the passage, which the vector store keeps it by, too."""

    @property
    def text(self) -> str:
        """The passage's text."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The passage's metadata, with its ``object_id``."""

    @property
    def score(self) -> float:
        """The passage's score; higher is better."""


@runtime_checkable
class KeywordSource(Protocol):
    """A keyword index, which a retrieval can search next to a vector store.

    Its methods are called from several threads, while the vector store is searched.
    """

    def search(
        self,
        question: str,
        limit: int,
        objects: Sequence[str] | None = None,
        *,
        project_id: str | None = None,
    ) -> Sequence[KeywordPassage]:
        """Returns the best passages, best first.

        The search must be exhaustive and deterministic: a wider search begins with the passages of
        a narrower one, and fewer passages than asked for are all that there are. To be searched
        with filters, it needs an argument ``where`` too: values that metadata must have.

        Args:
            question: The question.
            limit: The largest number of passages.
            objects: The objects to search among, or ``None`` for all.
            project_id: The project to search in, if it is known. Passages that name no project
                belong to it.
        """

    def count_chunks(
        self, objects: Sequence[str] | None = None, *, project_id: str | None = None
    ) -> int:
        """Returns the number of passages in the index, of all objects or of these."""


def keyword_source(keywords: KeywordSource | str | PathLike[str] | None) -> KeywordSource | None:
    """Returns a keyword index, given it or the path of a ``KeywordIndex``.

    Raises:
        ConfigurationError: It is something else.
    """
    if isinstance(keywords, str | PathLike):
        from managed_sync.keywords import KeywordIndex  # noqa: PLC0415 - loads SQLAlchemy

        return KeywordIndex(Path(keywords))
    if keywords is None or isinstance(keywords, KeywordSource):
        return keywords
    raise ConfigurationError(
        f"keywords must be a KeywordIndex or the path of one, got {type(keywords).__name__}."
    )


# Makes a framework's document or node of a passage.
ToPassage = Callable[[KeywordPassage], Any]


class KeywordSearch:
    """A keyword index as a source of one ranking.

    Args:
        source: The keyword index.
        to_passage: Makes a framework's document or node of a passage.
        untraced: Hides a search from the framework's callbacks and tracers.
        project_id: The project to search in, if it is known.
    """

    can_filter = True
    can_return_more = True
    diversity: Diversity | None = None

    def __init__(
        self,
        source: KeywordSource,
        to_passage: ToPassage,
        untraced: Callable[[], AbstractContextManager[None]],
        project_id: str | None,
    ) -> None:
        self.source = source
        self.project_id = project_id
        self.name = type(source).__name__
        self.object_ids: ObjectIds = OWN_FIELD
        self.untraced = untraced
        self.conditions: tuple[MetadataCondition, ...] = ()
        self.object_filter: ObjectFilter | None = CustomObjectFilter(
            lambda objects: {"objects": objects}, exact=True
        )
        self._to_passage = to_passage

    def reach(self, step: Inspect) -> Reach:
        """Returns that searches are exhaustive, and the number of passages if it is wanted."""
        if not step.count:
            return Reach(exhaustive=True)
        with _failures_named(self.name), self.untraced():
            chunks = self.source.count_chunks(step.objects, project_id=self.project_id)
            _require(type(chunks) is int and chunks >= 0, "count_chunks() returned no number")
            return Reach(exhaustive=True, chunks=chunks)

    def question(
        self, text: str, conditions: Sequence[MetadataCondition] | None = ()
    ) -> KeywordQuestion:
        """Returns a question to the index.

        Args:
            text: The question.
            conditions: Those of this question; ``None`` if the index cannot apply them.

        Raises:
            ConfigurationError: The index cannot apply the conditions.
        """
        self.check_conditions(conditions)
        return KeywordQuestion(text, (*self.conditions, *(conditions or ())), self)

    def narrowed(self, *filters: object) -> KeywordSearch:
        """Returns this search with filters of the caller's, which all hold.

        Args:
            filters: Mappings of equal metadata; ``None`` for none.

        Raises:
            ConfigurationError: The index cannot apply one.
        """
        conditions = [each for each in filters if each is not None]
        plain = [each for each in conditions if is_metadata_condition(each)]
        self.check_conditions(plain if len(plain) == len(conditions) else None)
        narrowed = copy.copy(self)
        narrowed.conditions = (*self.conditions, *plain)
        return narrowed

    def check_conditions(self, conditions: Sequence[MetadataCondition] | None) -> None:
        """Refuses filters that the index would ignore.

        Raises:
            ConfigurationError: There is one.
        """
        if conditions is None:
            raise ConfigurationError(
                "filter cannot be used with keywords=: the search by keywords would ignore it, and "
                "could find what it leaves out. Pass a mapping of equal texts and whole numbers, "
                "such as filter={'integration': 'zendesk'}, over a store that this package knows."
            )
        if conditions and "where" not in inspect.signature(self.source.search).parameters:
            raise ConfigurationError(
                f"filter cannot be used with keywords=: {self.name}.search() has no argument "
                f"where, which KeywordIndex has. Leave filter or keywords out."
            )

    def presented(self, hit: Hit) -> Hit:
        """Returns a hit with the framework's own document or node."""
        if not isinstance(hit.passage, _Found):
            return hit
        with _failures_named(self.name):
            return replace(hit, passage=self._to_passage(hit.passage.passage))


@dataclass(frozen=True, slots=True)
class _Found:
    """A passage as the index returned it; most are never shown, so they are converted later."""

    passage: KeywordPassage


@dataclass(frozen=True, slots=True)
class KeywordQuestion:
    """One question to a keyword index.

    Attributes:
        text: The question.
        conditions: The caller's filters, which all hold.
    """

    text: str
    conditions: tuple[MetadataCondition, ...]
    _search: KeywordSearch

    @property
    def query(self) -> str:
        """Returns the question."""
        return self.text

    def reach(self, step: Inspect) -> Reach:
        """Returns that searches are exhaustive, and the number of passages if it is wanted."""
        return self._search.reach(step)

    def search(self, step: Search) -> list[Hit]:
        """Returns the hits of one search, best first.

        Raises:
            KeywordSearchError: The index cannot be searched, or returns something else.
        """
        search = self._search
        condition = joined(self.conditions)
        if condition is None:
            return []
        where: dict[str, Any] = {"where": condition} if condition else {}
        with _failures_named(search.name), search.untraced():
            found = search.source.search(
                self.text, step.limit, step.objects, project_id=search.project_id, **where
            )
            return [_hit(each) for each in islice(found, step.limit)]

    async def asearch(self, step: Search) -> list[Hit]:
        """Like ``search``, without blocking the event loop."""
        return await asyncio.to_thread(self.search, step)

    def diverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Returns the first hits: without vectors, nothing tells how unlike passages are."""
        return hits[:k]

    async def adiverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Like ``diverse``."""
        return hits[:k]


class KeywordNeighbors:
    """A keyword index as a source of neighbors.

    Args:
        source: The keyword index.
    """

    def __init__(self, source: NeighborSource) -> None:
        self._source = source

    def neighbors(self, place: ChunkPlace, distance: int) -> list[Passage]:
        """Returns the passages of a text whose ``chunk_index`` is at most this far away.

        Raises:
            KeywordSearchError: The index cannot be searched, or returns something else.
        """
        with _failures_named(type(self._source).__name__):
            found = self._source.neighbors(place, distance)
            _require(isinstance(found, Sequence), "neighbors() returned no sequence")
            return [_neighbor(each.text, each.metadata) for each in found]


def _hit(found: KeywordPassage) -> Hit:
    text, metadata, chunk_id = found.text, found.metadata, found.chunk_id
    _require(isinstance(text, str), "a passage's text is no string")
    _require(isinstance(chunk_id, str), "a passage's chunk_id is no string")
    _require(isinstance(metadata, Mapping), "a passage's metadata are no mapping")
    return hit_of(_Found(found), text=text, metadata=metadata, store_id=chunk_id, score=found.score)


def _neighbor(text: object, metadata: object) -> Passage:
    if not isinstance(text, str) or not isinstance(metadata, Mapping | None):
        raise _OddAnswerError("a neighbor's text is no string, or its metadata are no mapping")
    return Passage(text, metadata or {})


class _OddAnswerError(Exception):
    """An index returned something else than its interface says."""


def _require(is_met: bool, fault: str) -> None:
    if not is_met:
        raise _OddAnswerError(fault)


@contextmanager
def _failures_named(name: str) -> Iterator[None]:
    """Names the index in the errors of its searches."""
    try:
        yield
    except ManagedSyncError:
        raise
    except Exception as error:  # noqa: BLE001 - raised as one error
        # Messages of other code may hold texts of passages that the subject may not read.
        fault = str(error) if isinstance(error, _OddAnswerError) else type(error).__name__
        raise KeywordSearchError(
            f"The keyword index ({name}) could not be searched: {fault}. "
            f"Build it again, or search without keywords."
        ) from None
