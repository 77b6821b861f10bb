"""The report of a retrieval: its searches, its checks, and whether its result is complete.

Guarantees:

- Reports are collected for the code inside the block and what it starts with its context. Threads
  and tasks of other callers add none, and neither does who reads from a generator with a block.
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from types import FrameType

from managed_sync.access.acting_blocks import generator_around, is_calling

__all__ = ["CollectedReports", "Doubt", "RetrievalReport", "add_report", "collect_reports"]


class Doubt(StrEnum):
    """A reason for which a result may not be the best one."""

    BOUND = "the search ended at max_candidates"
    APPROXIMATE = "the search is not known to be exhaustive"
    UNSTEADY = "a wider search contradicted a narrower one"
    SCORES = "the scores of several searches cannot be compared"
    LIST = "the list of readable objects may lack some"
    KEPT = "denials were kept from an earlier question"
    FILTER = "the store ignored its filter on object ids"
    UNIDENTIFIED = "passages without a usable object id cannot be checked"


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """A report on how one retrieval came to its result.

    With keywords, numbers of hits are those of both rankings together, and a hit in both counts
    twice. Objects, checks and lists are shared by both.

    Attributes:
        strategy: The strategy that led to the result: ``"post_filter"`` or ``"pre_filter"``.
        rounds: Searches sent to the store.
        keyword_strategy: The strategy that led to the ranking by keywords; ``None`` without one.
        keyword_rounds: Searches sent to the keyword index.
        round_trips: The number of times the permission service was waited for.
        candidates: Hits that were looked at, best first, until there were enough.
        objects: Distinct objects that were decided on, each once.
        checks: Decisions asked of the permission service for that.
        cache_hits: Decisions that the checker had kept from an earlier question.
        listed: The length of the subject's list of objects; ``None`` if it was not asked for.
        returned: Passages returned.
        withheld: Hits among the candidates that the subject may not read.
        unidentified: Hits without a usable object id; they cannot be checked, so they are never
            returned.
        foreign: Hits of other projects that share the store; they are neither checked nor
            returned.
        complete: Whether the result is known to be the best there is: the search is known to be
            exhaustive or returned everything the store holds, and nothing readable can be missing.
        doubts: The reasons why it is not known; empty if ``complete``.
        reranked: Passages that the reranker saw, all of which were allowed.
        scores: The score of each passage returned, in their order; ``None`` where there is none. It
            is the store's, of which some measure similarity and others distance; with keywords the
            fused score, which depends on ranks alone; with a reranker its score.
        filter_ignored: Whether the store returned hits that its filter should have kept out.
        subject: The user that the retrieval was for.
        search_seconds: Seconds spent in the store.
        check_seconds: Seconds spent in permission checks.
    """

    strategy: str
    rounds: int
    round_trips: int
    candidates: int
    objects: int
    listed: int | None
    returned: int
    withheld: int
    unidentified: int
    complete: bool
    filter_ignored: bool = False
    foreign: int = 0
    subject: str = ""
    checks: int = 0
    cache_hits: int = 0
    search_seconds: float = 0.0
    check_seconds: float = 0.0
    doubts: tuple[Doubt, ...] = ()
    keyword_strategy: str | None = None
    keyword_rounds: int = 0
    reranked: int = 0
    scores: tuple[float | None, ...] = field(default=(), repr=False)

    def described(self, field: str = "'object_id'", advice: str = "") -> str:
        """Returns the doubts and the numbers behind them as sentences, without any passage's data.

        Args:
            field: Where ids of objects were looked for.
            advice: The remedy if passages had none.
        """
        unidentified = (
            f"{self.unidentified} passages without a usable object id in {field} cannot be checked"
        )
        doubts = [unidentified if one is Doubt.UNIDENTIFIED else one for one in self.doubts]
        remedy = f" {advice}" if advice and Doubt.UNIDENTIFIED in self.doubts else ""
        return (
            f"The search may have missed passages: {'; '.join(doubts)}. It returned "
            f"{self.returned} after looking at {self.candidates + self.unidentified}.{remedy}"
        )


_blocks: ContextVar[tuple[_Block, ...]] = ContextVar("managed_sync_reports", default=())


class CollectedReports(list[RetrievalReport]):
    """The reports of a block of ``collect_reports``."""

    _has_missed = False

    @property
    def complete(self) -> bool:
        """``True`` if there is a report, and all retrievals inside the block are complete.

        A retrieval that raised has no report, and neither have retrievers without permissions.
        """
        return bool(self) and not self._has_missed and all(report.complete for report in self)


def collect_reports() -> AbstractContextManager[CollectedReports]:
    """Collects the reports of all retrievals inside the block, in the order in which they end.

    It is for code that calls retrievers where you cannot reach, such as an ensemble of several or
    a chain. In a generator, the block has the reports of what the generator itself calls, and none
    of its reader's. If a retrieval may have been of a task or thread that the generator started,
    ``complete`` is ``False``.

    Examples:
        ```python
        with collect_reports() as reports:
            documents = ensemble.invoke(question)
        is_complete = reports.complete
        ```
    """
    return _Block()


class _Block:
    """A block of ``collect_reports``."""

    def __init__(self) -> None:
        self._reports = CollectedReports()
        self._generator: FrameType | None = None
        self._is_open = False

    def __enter__(self) -> CollectedReports:
        self._generator, self._is_open = generator_around(sys._getframe(1)), True
        _blocks.set((*_blocks.get(), self))
        return self._reports

    def __exit__(self, *_: object) -> None:
        # A generator may end in another context, and leave the block in the one before.
        self._generator, self._is_open = None, False
        _blocks.set(tuple(each for each in _blocks.get() if each is not self))

    def add(self, report: RetrievalReport) -> None:
        """Adds a report of a retrieval in whose context the block is, if it is inside."""
        if not self._is_open:
            return
        if self._generator is None or is_calling(self._generator):
            self._reports.append(report)
        else:
            self._reports._has_missed = True  # noqa: SLF001 - own class


def add_report(report: RetrievalReport) -> None:
    """Adds a report to those that are collected now."""
    for block in _blocks.get():
        block.add(report)
