"""What all retrievals of one retriever have in common, in either framework."""

from __future__ import annotations

from collections.abc import Callable

from managed_sync.errors import ConfigurationError, IncompleteRetrievalError
from managed_sync.logs import get_logger
from managed_sync.permissions.checker import AccessChecker
from managed_sync.permissions.costs import Experience
from managed_sync.permissions.object_filter import ObjectFilter
from managed_sync.permissions.plan import retrieval_plan
from managed_sync.permissions.steps import Outcome, Plan, Strategy, Wanted

__all__ = ["Planning"]

logger = get_logger(__name__)

# A guess for stores that know how many chunks they hold; it only steers costs.
_CHUNKS_PER_OBJECT = 8


class Planning:
    """Makes plans, and judges their outcomes.

    Args:
        checker: Whose kept lists are used.
        strategy: See ``PermissionAwareRetriever``.
        wanted: What each retrieval is to bring.
        object_filter: The store's own filter, if it is known.
        can_filter: Whether that filter can be used.
        chunk_count: Asks the store how many chunks it holds, if it can say.
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
        wanted: Wanted,
        object_filter: ObjectFilter | None,
        can_filter: bool,
        chunk_count: Callable[[], int | None],
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
        # The filter still tells whether a search that comes back short has seen everything.
        self._strategy: Strategy = strategy if usable else "post_filter"
        self.wanted = wanted
        self._object_filter = object_filter
        self._chunk_count = chunk_count
        self._raise_if_incomplete = raise_if_incomplete
        self._store = store
        self._experience = Experience()
        self._object_count: int | None = None
        self._warned = False

    def plan(self, subject: str, wanted: Wanted | None = None) -> Plan:
        """A plan for one question of a subject."""
        auto = self._strategy == "auto"
        if auto and self._object_count is None and (chunks := self._chunk_count()) is not None:
            self._object_count = max(1, chunks // _CHUNKS_PER_OBJECT)
        return retrieval_plan(
            self._strategy,
            wanted or self.wanted,
            object_filter=self._object_filter,
            object_count=self._object_count,
            chunk_count=self._chunk_count,
            experience=self._experience,
            subject=subject,
            kept_list=self._checker.kept_list(subject) if auto else None,
        )

    def judged(self, outcome: Outcome) -> Outcome:
        """The outcome, after saying what is wrong with it.

        Raises:
            IncompleteRetrievalError: It may not be the best result, and that is to raise.
        """
        _, report = outcome
        if report.filter_ignored and not self._warned:
            self._warned = True
            logger.warning(
                "%s returned chunks that its filter on object ids should have kept out; they were "
                "not used. Pass an object_filter that fits it, or strategy='post_filter'.",
                self._store,
            )
        if not report.complete:
            logger.warning(
                "The search in %s may have missed passages: it returned %d after looking at %d.",
                self._store,
                report.returned,
                report.candidates,
            )
            if self._raise_if_incomplete:
                raise IncompleteRetrievalError(report)
        return outcome
