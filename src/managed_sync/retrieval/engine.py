"""The retrieval engine: all retrievals of one retriever, in either framework.

Guarantees:

- A result that may not be the best one is logged once for each reason, or raises if the retriever
  asked for that.
"""

from __future__ import annotations

from dataclasses import replace

from managed_sync.access.checker import AccessChecker
from managed_sync.effects import Program, arun, run
from managed_sync.errors import ConfigurationError, IncompleteRetrievalError
from managed_sync.logs import get_logger
from managed_sync.retrieval.effects import RetrievalEffects, RetrievalSpec, Searcher, Strategy
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.report import Doubt
from managed_sync.retrieval.state import Outcome, RetrieverStats
from managed_sync.retrieval.strategies import Retrieval

__all__ = ["RetrievalEngine"]

logger = get_logger(__name__)


class RetrievalEngine:
    """Retrieves the best passages that a subject may read.

    Args:
        checker: Decides what the subject may read.
        strategy: See ``PermissionAwareRetriever``.
        spec: The specification of each result.
        object_filter: The store's own filter, if it is known.
        can_filter: Whether that filter can be used.
        raise_if_incomplete: Whether a result that may not be the best one raises.
        store: The store's name, for warnings.

    Raises:
        ConfigurationError: ``pre_filter`` is asked for, and it is not available.
    """

    def __init__(
        self,
        *,
        checker: AccessChecker,
        strategy: Strategy,
        spec: RetrievalSpec,
        object_filter: ObjectFilter | None,
        can_filter: bool,
        raise_if_incomplete: bool,
        store: str,
    ) -> None:
        is_usable = object_filter is not None and can_filter and checker.can_list
        if strategy == "pre_filter" and not is_usable:
            raise ConfigurationError(
                f'strategy="pre_filter" is not available for {store}: the store is unknown, your '
                f"own filter uses the same argument, or the checker's client has no "
                f"list_objects(). Pass object_filter=CustomObjectFilter(...), or use another "
                f"strategy."
            )
        # Where only a certain result will do, lists that may lack something are not asked for.
        is_of_use = is_usable and (checker.lists_are_proven or not raise_if_incomplete)
        self._strategy: Strategy = (
            "post_filter" if strategy == "auto" and not is_of_use else strategy
        )
        self.spec = replace(
            spec, trusts_lists=checker.lists_are_proven, certain=raise_if_incomplete
        )
        self._checker = checker
        self._object_filter = object_filter
        self._raise_if_incomplete = raise_if_incomplete
        self._store = store
        self._stats = RetrieverStats()
        self._warned: set[tuple[Doubt, ...]] = set()

    def retrieve(
        self, subject: str, searcher: Searcher, spec: RetrievalSpec | None = None
    ) -> Outcome:
        """Returns the best passages that the subject may read, and a report.

        Args:
            subject: The user.
            searcher: Searches the store for the question.
            spec: A specification for this retrieval alone; how certain it has to be is the
                engine's to say.

        Raises:
            AccessCheckError: Some object has no trustworthy decision; nothing is returned.
            ConfigurationError: The checker knows no project, and chunks of several were found.
            IncompleteRetrievalError: The result may not be the best one, and that is to raise.
        """
        effects = RetrievalEffects.of(subject, self._checker, searcher)
        return self._check_complete(run(self._program(subject, effects, spec)))

    async def aretrieve(
        self, subject: str, searcher: Searcher, spec: RetrievalSpec | None = None
    ) -> Outcome:
        """Like ``retrieve``, without blocking the event loop."""
        effects = RetrievalEffects.asynchronous(subject, self._checker, searcher)
        return self._check_complete(await arun(self._program(subject, effects, spec)))

    def _program(
        self, subject: str, effects: RetrievalEffects, spec: RetrievalSpec | None
    ) -> Program[Outcome]:
        usual = self.spec
        return Retrieval(
            subject,
            usual
            if spec is None
            else replace(spec, trusts_lists=usual.trusts_lists, certain=usual.certain),
            effects,
            self._checker.boundary(),
            object_filter=self._object_filter,
            stats=self._stats,
            past=self._stats.of(subject),
        ).by(self._strategy)

    def _check_complete(self, outcome: Outcome) -> Outcome:
        """Returns the outcome, after a warning or an error if it may not be the best one."""
        _, report = outcome
        if report.filter_ignored:
            self._warn_once(
                (Doubt.FILTER,),
                "%s returned chunks that its filter on object ids should have kept out; they were "
                "not used. Pass an object_filter that fits it, or strategy='post_filter'.",
                self._store,
            )
        if not report.complete:
            self._warn_once(
                report.doubts,
                "The search in %s may have missed passages: %s. It returned %d after looking at "
                "%d. Later results with the same doubts are not logged.",
                self._store,
                "; ".join(report.doubts),
                report.returned,
                report.candidates,
            )
            if self._raise_if_incomplete:
                raise IncompleteRetrievalError(report)
        return outcome

    def _warn_once(self, doubts: tuple[Doubt, ...], message: str, *details: object) -> None:
        if doubts not in self._warned:
            self._warned.add(doubts)
            logger.warning(message, *details)
