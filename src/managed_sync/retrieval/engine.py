"""The retrieval engine: all retrievals of one retriever, in either framework.

Guarantees:

- A result that may not be the best one is logged once for each reason, or raises if the retriever
  asked for that.
- MMR and rerankers choose among passages that the user may read, so that those withheld have no
  influence.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial

from managed_sync.access.checker import AccessChecker
from managed_sync.access.object_ids import OWN_FIELD, ObjectIdFunction
from managed_sync.arguments import check_integer
from managed_sync.effects import Program, arun, in_thread, run
from managed_sync.errors import ConfigurationError, IncompleteRetrievalError
from managed_sync.logs import get_logger
from managed_sync.retrieval.effects import (
    Inspect,
    Question,
    Reach,
    RetrievalEffects,
    RetrievalSpec,
    SearchSource,
    Strategy,
)
from managed_sync.retrieval.hybrid.fusion import Fusion, fused
from managed_sync.retrieval.hybrid.keyword_search import KeywordSearch
from managed_sync.retrieval.hybrid.program import fused_retrieval
from managed_sync.retrieval.hybrid.stores import UseStores, ause_stores, use_stores
from managed_sync.retrieval.refinement.refinement import Refinement, RefiningEffects
from managed_sync.retrieval.report import Doubt, RetrievalReport, add_report
from managed_sync.retrieval.state import Outcome, RetrieverStats
from managed_sync.retrieval.strategies import Retrieval

__all__ = ["RetrievalEngine"]

_logger = get_logger(__name__)

# The first search of a ranking that is fused asks for this many times its window.
_WINDOW_MARGIN = 1.25
# If so many objects are denied to a user, their ids may be of another kind.
_MANY_OBJECTS = 20


class RetrievalEngine:
    """Retrieves the best passages that a subject may read.

    Args:
        source: The store, the retriever or the keyword index to search.
        checker: The access checker.
        strategy: See ``PermissionAwareRetriever``.
        spec: The number of passages and the limits of each retrieval.
        raise_if_incomplete: Whether a result that may not be the best one raises.
        keywords: A keyword index to search next to the source.
        fusion: The settings of the fusion of both rankings.
        refinement: What happens to the passages after the checks.

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
        keywords: KeywordSearch | None = None,
        fusion: Fusion | None = None,
        refinement: Refinement | None = None,
    ) -> None:
        usable = source.object_filter is not None and source.can_filter and checker.can_list
        if strategy == "pre_filter" and not usable:
            raise ConfigurationError(
                f'strategy="pre_filter" is not available for {source.name}: '
                f"{_obstacle(source, checker)}, or use another strategy."
            )
        self._source = source
        self._checker = checker
        # Where only a certain result will do, lists that may lack something are not asked for.
        may_list = checker.lists_are_proven or not raise_if_incomplete
        self._strategy = _useful(strategy, usable and may_list)
        self._keyword_strategy = _useful(strategy, checker.can_list and may_list)
        self._spec = replace(
            spec, trusts_lists=checker.lists_are_proven, certain=raise_if_incomplete
        )
        self._raise_if_incomplete = raise_if_incomplete
        self._keywords = keywords
        self._is_by_keywords = isinstance(source, KeywordSearch)
        self._presents = source if isinstance(source, KeywordSearch) else keywords
        self._fusion = fusion or Fusion()
        self._refinement = refinement or Refinement()
        self._stats = RetrieverStats()
        self._keyword_stats = RetrieverStats()
        self._name = source.name if keywords is None else f"{source.name} and {keywords.name}"
        self._warned: set[Hashable] = set()

    def retrieve(self, subject: str, question: Question, k: int | None = None) -> Outcome:
        """Returns the best passages that a subject may read, and a report.

        Args:
            subject: The user.
            question: The question.
            k: The number of passages, in place of the retriever's own.

        Raises:
            AccessCheckError: Some object has no trustworthy decision; nothing is returned.
            IncompleteRetrievalError: The result may not be the best, and that is to raise.
            KeywordSearchError: The keyword index could not be searched.
            StoreSearchError: The store or retriever could not be searched.
            RerankingError: The reranker returned no order of the passages.
            ConfigurationError: ``k`` is not a number of passages, or the checker knows no project,
                and chunks of several were found.
        """
        checker = self._checker
        permissions = (
            partial(checker.decide, subject),
            partial(checker.list_objects, subject),
            partial(checker.kept_list, subject),
        )
        searches = [RetrievalEffects(question.search, question.reach, *permissions)]
        if self._keywords is not None:
            asked = self._keywords.question(question.text, question.conditions)
            searches.append(RetrievalEffects(asked.search, asked.reach, *permissions))
        refining = self._refinement.blocking(question.diverse)
        program = self._program(subject, question, searches, refining, use_stores, k=k)
        return _reported(run(program))

    async def aretrieve(self, subject: str, question: Question, k: int | None = None) -> Outcome:
        """Like ``retrieve``, without blocking the event loop."""
        checker = self._checker
        permissions = (
            partial(checker.adecide, subject),
            partial(checker.alist_objects, subject),
            partial(checker.kept_list, subject),
        )
        reach = _in_thread(question.reach)
        searches = [RetrievalEffects(question.asearch, reach, *permissions)]
        if self._keywords is not None:
            asked = self._keywords.question(question.text, question.conditions)
            reach = _in_thread(asked.reach)
            searches.append(RetrievalEffects(asked.asearch, reach, *permissions))
        refining = self._refinement.awaiting(question.adiverse)
        program = self._program(subject, question, searches, refining, ause_stores, k=k)
        return _reported(await arun(program))

    def _program(
        self,
        subject: str,
        question: Question,
        searches: Sequence[RetrievalEffects],
        refining: RefiningEffects,
        together: UseStores,
        *,
        k: int | None,
    ) -> Program[Outcome]:
        self._refinement.check_conditions(question.conditions)
        number = self._spec.k if k is None else self._checked_number(k)
        wanted = self._candidates(number)
        hits, report = yield from self._retrieval(subject, searches, together, wanted)
        if self._presents is not None:
            hits = [self._presents.presented(hit) for hit in hits]
        if self._is_by_keywords:
            # The index's own scores tell how many passages have a word, also of hidden ones.
            hits = fused(self._fusion, (), hits)
            report = replace(report, scores=tuple(hit.score for hit in hits))
        self._check_complete(report)
        if not self._refinement.is_needed and self._source.diversity is None:
            return hits, report
        refined = yield from refining.refined(
            question.query, hits, number, self._source.diversity, question.conditions or ()
        )
        return refined, replace(
            report,
            returned=len(refined),
            reranked=len(hits) if self._refinement.reranker else 0,
            scores=tuple(hit.score for hit in refined),
        )

    def _retrieval(
        self, subject: str, searches: Sequence[RetrievalEffects], together: UseStores, k: int
    ) -> Program[Outcome]:
        if self._keywords is None:
            spec = replace(self._spec, k=k)
            return self._ranking(subject, searches[0], spec).by(self._strategy)
        window = min(self._fusion.window_of(k), self._spec.max_candidates)
        # The window is much wider than the result, so it needs less of a margin, and a sample of as
        # many objects as for the result alone tells enough.
        sample = math.ceil(k * self._spec.overfetch)
        overfetch = max(_WINDOW_MARGIN, sample / window)
        spec = replace(self._spec, k=window, overfetch=overfetch, sample=sample)
        by_vectors = self._ranking(subject, searches[0], spec)
        by_keywords = Retrieval(
            subject,
            replace(spec, can_return_more=self._keywords.can_return_more),
            searches[1],
            by_vectors.boundary,
            checked=by_vectors.checked,
            object_filter=self._keywords.object_filter,
            stats=self._keyword_stats,
            past=self._keyword_stats.of(subject),
        )
        return fused_retrieval(
            by_vectors.by(self._strategy),
            by_keywords.by(self._keyword_strategy),
            together,
            self._fusion,
            k=k,
            max_per_object=self._spec.max_per_object,
        )

    def _ranking(self, subject: str, effects: RetrievalEffects, spec: RetrievalSpec) -> Retrieval:
        return Retrieval(
            subject,
            spec,
            effects,
            self._checker.boundary(),
            object_filter=self._source.object_filter,
            stats=self._stats,
            past=self._stats.of(subject),
        )

    def _candidates(self, k: int) -> int:
        # MMR and rerankers need something to choose from.
        wanted = self._refinement.candidates(k, self._source.diversity)
        return max(k, min(wanted, self._spec.max_candidates))

    def _checked_number(self, k: int) -> int:
        return check_integer("k", k, at_most=self._spec.max_candidates, limit="max_candidates")

    def _check_complete(self, report: RetrievalReport) -> None:
        """Warns of the faults in a result, once of each.

        Raises:
            IncompleteRetrievalError: It may not be the best result, and that is to raise.
        """
        object_ids = self._source.object_ids
        is_all_denied = report.objects >= _MANY_OBJECTS and report.withheld == report.candidates
        if object_ids != OWN_FIELD and is_all_denied:
            self._warn_once(
                "denied",
                "Not one of the objects found in %s with object_id=%s was allowed. If the user may "
                "read some of them, these are not the ids of objects. %s",
                self._name,
                object_ids.description,
                object_ids.advice,
            )
        if report.filter_ignored:
            self._warn_once(
                (Doubt.FILTER,),
                "%s returned chunks that its filter on object ids should have kept out; they were "
                "not used. Pass an object_filter that fits it, or strategy='post_filter'.",
                self._name,
            )
        if not report.complete:
            description = report.described(object_ids.description, object_ids.advice)
            self._warn_once(
                report.doubts,
                "%s: %s Later results with the same doubts are not logged.",
                self._name,
                description,
            )
            if self._raise_if_incomplete:
                raise IncompleteRetrievalError(report, description)

    def _warn_once(self, occasion: Hashable, message: str, *details: object) -> None:
        if occasion not in self._warned:
            self._warned.add(occasion)
            _logger.warning(message, *details)


def _reported(outcome: Outcome) -> Outcome:
    add_report(outcome[1])
    return outcome


def _obstacle(source: SearchSource, checker: AccessChecker) -> str:
    """Returns the reason why a source cannot be searched among a user's list, and the remedy."""
    if not checker.can_list:
        return "the checker's client has no list_objects(). Add that method"
    if source.object_filter is not None:
        return "your own filter cannot be combined with one on object ids. Leave yours out"
    custom = "object_filter=CustomObjectFilter(...)"
    if isinstance(source.object_ids, ObjectIdFunction):
        return f"no store can filter by a function object_id=. Name a metadata field, pass {custom}"
    by_field = "" if source.object_ids == OWN_FIELD else f" by {source.object_ids.description}"
    return f"it is not known how to filter it{by_field}. Pass {custom}"


def _in_thread(reach: Callable[[Inspect], Reach]) -> Callable[[Inspect], Awaitable[Reach]]:
    return lambda step: in_thread(reach, step)


def _useful(strategy: Strategy, can_list: bool) -> Strategy:
    return "post_filter" if strategy == "auto" and not can_list else strategy
