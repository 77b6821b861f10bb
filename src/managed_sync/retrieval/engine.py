"""What all retrievals of one retriever have in common, in either framework."""

from __future__ import annotations

from dataclasses import replace

from managed_sync.access.checker import AccessChecker
from managed_sync.errors import ConfigurationError, IncompleteRetrievalError
from managed_sync.logs import get_logger
from managed_sync.retrieval.cost_model import Experience
from managed_sync.retrieval.effects import Outcome, Plan, RetrievalSpec, Strategy
from managed_sync.retrieval.object_filter import ObjectFilter
from managed_sync.retrieval.report import Doubt
from managed_sync.retrieval.strategies import retrieval_plan

__all__ = ["Planning"]

logger = get_logger(__name__)


class Planning:
    """Makes plans, and judges their outcomes.

    Args:
        checker: Whose kept lists are used.
        strategy: See ``PermissionAwareRetriever``.
        wanted: What each retrieval is to bring.
        object_filter: The store's own filter, if it is known.
        can_filter: Whether that filter can be used.
        raise_if_incomplete: Whether a result that may not be the best one raises.
        store: The store's name, for warnings.

    Raises:
        ConfigurationError: ``pre_filter`` is asked for, and the store's filter is not known.
    """

    def __init__(
        self,
        *,
        checker: AccessChecker,
        strategy: Strategy,
        wanted: RetrievalSpec,
        object_filter: ObjectFilter | None,
        can_filter: bool,
        raise_if_incomplete: bool,
        store: str,
    ) -> None:
        usable = object_filter is not None and can_filter and checker.can_list
        if strategy == "pre_filter" and not usable:
            raise ConfigurationError(
                f"There is no pre_filter for {store}: how it filters is not known, a filter of "
                f"your own takes the place, or the client of the checker has no list_objects. Pass "
                f"object_filter=CustomObjectFilter(...), or use another strategy."
            )
        self._checker = checker
        # Where only a certain result will do, lists that may lack something are not asked for.
        is_of_use = usable and (checker.lists_are_proven or not raise_if_incomplete)
        self._strategy: Strategy = (
            "post_filter" if strategy == "auto" and not is_of_use else strategy
        )
        self.wanted = wanted
        self._object_filter = object_filter
        self._raise_if_incomplete = raise_if_incomplete
        self._store = store
        self._experience = Experience()
        self._said: set[tuple[Doubt, ...]] = set()

    def plan(self, subject: str, wanted: RetrievalSpec | None = None) -> Plan:
        """A plan for one question of a subject."""
        return retrieval_plan(
            self._strategy,
            replace(
                wanted or self.wanted,
                trusts_lists=self._checker.lists_are_proven,
                certain=self._raise_if_incomplete,
            ),
            object_filter=self._object_filter,
            experience=self._experience,
            subject=subject,
            kept_list=self._checker.kept_list(subject) if self._strategy == "auto" else None,
        )

    def judged(self, outcome: Outcome) -> Outcome:
        """The outcome, after saying what is wrong with it.

        Raises:
            IncompleteRetrievalError: It may not be the best result, and that is to raise.
        """
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
        if doubts not in self._said:
            self._said.add(doubts)
            logger.warning(message, *details)
