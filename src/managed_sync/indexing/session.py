"""The parts that work on one pipeline during one call of ``IndexSync``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Self

from managed_sync.documents import Chunker, RecordSource
from managed_sync.documents.loading.results import RecordLoader
from managed_sync.indexing.feed.feed import Feed
from managed_sync.indexing.feed.versions import Version
from managed_sync.indexing.index_settings import IndexSettings
from managed_sync.indexing.keyword_half import KeywordHalf
from managed_sync.indexing.ledger.ledger import Ledger, PipelineLedger
from managed_sync.indexing.ledger.locks import locked
from managed_sync.indexing.ledger.model import Pipeline
from managed_sync.indexing.report import IndexProgress
from managed_sync.indexing.run import Run
from managed_sync.indexing.stored_index import StoredIndex
from managed_sync.indexing.targets.base import IndexTarget
from managed_sync.indexing.targets.calls import Retries, TimedCalls
from managed_sync.indexing.targets.hybrid import with_keywords
from managed_sync.indexing.targets.retrying import RetryingTarget
from managed_sync.indexing.verify import Verification

if TYPE_CHECKING:
    from managed_sync.keywords import KeywordIndex

__all__ = ["Session", "Setup"]


@dataclass(frozen=True, slots=True)
class Setup:
    """The arguments of ``IndexSync`` that its runs need."""

    client: RecordSource
    target: IndexTarget
    ledger: str | Path
    loader: RecordLoader
    chunker: Chunker
    batch_size: int
    retries: Retries
    timed: TimedCalls
    version: Version
    settings: IndexSettings
    keywords: KeywordIndex | None


@dataclass(frozen=True, slots=True)
class Session:
    """One pipeline, with its ledger open.

    Args:
        setup: The arguments of ``IndexSync``.
        ledger: The pipeline's.
        feed: The pipeline's records.
        stop: Ends the work after what is under way, when it is set.
    """

    setup: Setup
    ledger: PipelineLedger
    feed: Feed
    stop: Event

    @classmethod
    @contextmanager
    def open(
        cls, setup: Setup, integration: str, sync_type: str, stop: Event | None = None
    ) -> Iterator[Self]:
        """Opens the ledger, without the pipeline's lock.

        Args:
            setup: The arguments of ``IndexSync``.
            integration: Such as ``"googleDrive"``.
            sync_type: Such as ``"files"``.
            stop: Ends the work after what is under way, when it is set.
        """
        pipeline = Pipeline(setup.client.project_id, integration, sync_type)
        feed = Feed(setup.client, pipeline)
        with closing(Ledger(setup.ledger)) as ledger:
            yield cls(setup, ledger.of(pipeline), feed, stop or Event())

    def locked(self, wait: float) -> AbstractContextManager[None]:
        """Holds the pipeline's lock.

        Args:
            wait: Seconds to wait for another run on the same pipeline.
        """
        return locked(self.ledger, wait=wait, stop=self.stop)

    def run(self, on_progress: Callable[[IndexProgress], None] | None = None) -> Run:
        """Returns a new run."""
        setup = self.setup
        return Run(
            self.ledger,
            self.feed,
            setup.loader,
            self.target(),
            setup.chunker.split,
            version=setup.version,
            on_progress=on_progress,
            stop=self.stop,
        )

    def verification(self) -> Verification:
        """Returns a new verification."""
        setup = self.setup
        index, keywords = StoredIndex(setup.target, setup.timed), None
        if setup.keywords is not None:
            keywords = KeywordHalf(setup.keywords, setup.target, index, setup.timed)
        return Verification(self.ledger, index, self.target(), self.feed, keywords)

    def target(self) -> RetryingTarget:
        """Returns the target, with retries of its own."""
        setup = self.setup
        return RetryingTarget(
            with_keywords(setup.target, setup.keywords),
            batch_size=setup.batch_size,
            retries=setup.retries,
            stop=self.stop,
            timed=setup.timed,
            before_each_call=self.ledger.database.require_connection,
        )
