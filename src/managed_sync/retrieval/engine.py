"""The retrieval engine: all retrievals of one retriever, in either framework.

Guarantees:

- A result that may not be the best one is logged once for each reason, or raises if the retriever
  asked for that.
- MMR chooses among passages that the user may read, so that those withheld have no influence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from managed_sync.access.checker import AccessChecker
from managed_sync.arguments import check_integer
from managed_sync.effects import Program, arun, run
from managed_sync.errors import ConfigurationError, IncompleteRetrievalError
from managed_sync.logs import get_logger
from managed_sync.retrieval.diversity import Diversity
from managed_sync.retrieval.effects import (
    Inspect,
    Reach,
    RetrievalEffects,
    RetrievalSpec,
    Search,
    Strategy,
)
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.report import Doubt, RetrievalReport
from managed_sync.retrieval.state import Outcome, RetrieverStats
from managed_sync.retrieval.strategies import Retrieval

__all__ = ["Question", "RetrievalEngine", "SearchSource"]

_logger = get_logger(__name__)


class SearchSource(Protocol):
    """A store or a retriever that questions are put to.

    Attributes:
        name: Its name, for warnings.
        object_filter: Its filter on object ids, if it is known.
        can_filter: Whether that filter can be used.
        diversity: The settings of MMR, if the caller asked for it.
    """

    name: str
    object_filter: ObjectFilter | None
    can_filter: bool
    diversity: Diversity | None

    def reach(self, step: Inspect) -> Reach:
        """Returns how far searches reach; it may wait for the store."""


class Question(Protocol):
    """One question to a source."""

    def search(self, step: Search) -> Sequence[Hit] | None:
        """Returns the hits of one search, best first.

        It returns ``None`` if the source cannot be confined to the objects of the search.
        """

    async def asearch(self, step: Search) -> Sequence[Hit] | None:
        """Like ``search``, without blocking the event loop."""

    def diverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Returns the ``k`` hits that are near the question and unlike each other, by MMR."""

    async def adiverse(self, hits: Sequence[Hit], k: int, diversity: Diversity) -> Sequence[Hit]:
        """Like ``diverse``, without blocking the event loop."""


class RetrievalEngine:
    """Retrieves the best passages that a subject may read.

    Args:
        source: The store or retriever to search.
        checker: The access checker.
        strategy: See ``PermissionAwareRetriever``.
        spec: The number of passages and the limits of each retrieval.
        raise_if_incomplete: Whether a result that may not be the best one raises.

    Raises:
        ConfigurationError: ``strategy="pre_filter"`` is not available for the source.
    """

    def __init__(
        self,
        source: SearchSource,
        checker: AccessChecker,
        *,
        strategy: Strategy,
        spec: RetrievalSpec,
        raise_if_incomplete: bool,
    ) -> None:
        usable = source.object_filter is not None and source.can_filter and checker.can_list
        if strategy == "pre_filter" and not usable:
            raise ConfigurationError(
                f'strategy="pre_filter" is not available for {source.name}: the store is unknown, '
                f"your own filter uses the same argument, or the checker's client has no "
                f"list_objects(). Pass object_filter=CustomObjectFilter(...), or use another "
                f"strategy."
            )
        self._source = source
        self._checker = checker
        # Where only a certain result will do, lists that may lack something are not asked for.
        is_of_use = usable and (checker.lists_are_proven or not raise_if_incomplete)
        self._strategy: Strategy = (
            "post_filter" if strategy == "auto" and not is_of_use else strategy
        )
        self._k = spec.k
        self._spec = self._to_choose_from(
            replace(spec, trusts_lists=checker.lists_are_proven, certain=raise_if_incomplete)
        )
        self._raise_if_incomplete = raise_if_incomplete
        self._stats = RetrieverStats()
        self._warned: set[tuple[Doubt, ...]] = set()

    def retrieve(self, subject: str, question: Question, k: int | None = None) -> Outcome:
        """Returns the best passages that a subject may read, and a report.

        Args:
            subject: The user.
            question: The question.
            k: The number of passages, in place of the retriever's own.

        Raises:
            AccessCheckError: Some object has no trustworthy decision; nothing is returned.
            IncompleteRetrievalError: The result may not be the best, and that is to raise.
            ConfigurationError: ``k`` is not a number of passages, or the checker knows no project,
                and chunks of several were found.
        """
        effects = RetrievalEffects(
            question.search,
            self._source.reach,
            partial(self._checker.decide, subject),
            partial(self._checker.list_objects, subject),
            partial(self._checker.kept_list, subject),
        )
        hits, report = run(self._program(subject, effects, k))
        if report.filter_ignored or not report.complete:
            self._check_complete(report)
        if self._source.diversity is None:
            return hits, report
        number = self._k if k is None else k
        return _chosen(question.diverse(hits, number, self._source.diversity), report)

    async def aretrieve(self, subject: str, question: Question, k: int | None = None) -> Outcome:
        """Like ``retrieve``, without blocking the event loop."""
        effects = RetrievalEffects(
            question.asearch,
            lambda step: asyncio.to_thread(self._source.reach, step),
            partial(self._checker.adecide, subject),
            partial(self._checker.alist_objects, subject),
            partial(self._checker.kept_list, subject),
        )
        hits, report = await arun(self._program(subject, effects, k))
        if report.filter_ignored or not report.complete:
            self._check_complete(report)
        if self._source.diversity is None:
            return hits, report
        number = self._k if k is None else k
        return _chosen(await question.adiverse(hits, number, self._source.diversity), report)

    def _with_number(self, k: int) -> RetrievalSpec:
        check_integer("k", k, at_most=self._spec.max_candidates, limit="max_candidates")
        return self._to_choose_from(replace(self._spec, k=k))

    def _to_choose_from(self, spec: RetrievalSpec) -> RetrievalSpec:
        # MMR needs something to choose from, all of which the user may read.
        diversity = self._source.diversity
        return spec if diversity is None else replace(spec, k=diversity.candidates(spec.k))

    def _program(self, subject: str, effects: RetrievalEffects, k: int | None) -> Program[Outcome]:
        return Retrieval(
            subject,
            self._spec if k is None else self._with_number(k),
            effects,
            self._checker.boundary(),
            object_filter=self._source.object_filter,
            stats=self._stats,
            past=self._stats.of(subject),
        ).by(self._strategy)

    def _check_complete(self, report: RetrievalReport) -> None:
        """Warns of the faults in a result, once of each.

        Raises:
            IncompleteRetrievalError: It may not be the best result, and that is to raise.
        """
        if report.filter_ignored:
            self._warn_once(
                (Doubt.FILTER,),
                "%s returned chunks that its filter on object ids should have kept out; they were "
                "not used. Pass an object_filter that fits it, or strategy='post_filter'.",
                self._source.name,
            )
        if not report.complete:
            self._warn_once(
                report.doubts,
                "The search in %s may have missed passages: %s. It returned %d after looking at "
                "%d. Later results with the same doubts are not logged.",
                self._source.name,
                "; ".join(report.doubts),
                report.returned,
                report.candidates,
            )
            if self._raise_if_incomplete:
                raise IncompleteRetrievalError(report)

    def _warn_once(self, doubts: tuple[Doubt, ...], message: str, *details: object) -> None:
        if doubts not in self._warned:
            self._warned.add(doubts)
            _logger.warning(message, *details)


def _chosen(hits: Sequence[Hit], report: RetrievalReport) -> Outcome:
    """Returns the hits that MMR chose, and the report with their number and scores."""
    scores = tuple(hit.score for hit in hits)
    return hits, replace(report, returned=len(hits), scores=scores)
