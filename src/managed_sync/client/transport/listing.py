"""Reads a listing page by page, the next one while the caller consumes the one before it.

Guarantees:

- A listing ends with its last page, or with an error that names the page; it never goes in circles.
- No more than two pages are held in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from managed_sync.client.transport.sender import Sender
from managed_sync.client.wire.pagination import PageWalk
from managed_sync.client.wire.request import Request
from managed_sync.effects import Effect, Program, perform
from managed_sync.errors import IncompleteResponseError, MalformedRecordsError
from managed_sync.models import MalformedRecord, RecordPage, SyncedRecord

__all__ = ["Listing", "PageListing", "RecordListing"]

R = TypeVar("R")
Item = TypeVar("Item")

_MAX_REREADS = 6
# A caller who is back sooner would only pay for the changes between threads.
_SECONDS_WORTH_READING_AHEAD = 0.001


class Begin(Protocol):
    """Starts a program in the background, and returns the effect that waits for its result."""

    def __call__(self, program: Program[R], /) -> Effect[R]: ...


class Listing(ABC, Generic[Item]):
    """A listing that is read page by page.

    Args:
        name: Its name, for messages.
        cursor: The cursor of the first page, if that is not the beginning.
        page_at: The program that reads the page at a cursor.
        sender: The client's sender, whose retries, pauses and clock are used.
    """

    def __init__(
        self,
        name: str,
        cursor: str | None,
        page_at: Callable[[str | None], Program[RecordPage]],
        *,
        sender: Sender,
    ) -> None:
        self._name = name
        self._walk = PageWalk(name, cursor)
        self._request = Request("GET", f"a page of {name}")
        self._page_at = page_at
        self._sender = sender
        self._next: Program[RecordPage] | None = self._page()
        self._coming: Effect[RecordPage] | None = None
        self._is_ahead = True
        self._handed_out_at: float | None = None

    def read(self, begin: Begin) -> Program[Sequence[Item] | None]:
        """Returns the items of the next page, or ``None`` after the last one."""
        if self._next is None:
            self._end()
            return None
        if self._handed_out_at is not None:
            consumed_in = self._sender.clock.monotonic() - self._handed_out_at
            self._is_ahead = consumed_in > _SECONDS_WORTH_READING_AHEAD
        page = yield from (perform(self._coming) if self._coming else self._next)
        self._next = self._coming = None
        if self._walk.follow(page.next_cursor, items=_contents(page)):
            self._next = self._page()
            if self._is_ahead:
                self._coming = yield from perform(begin, self._next)
        self._handed_out_at = self._sender.clock.monotonic()
        return self._items(page)

    @abstractmethod
    def _items(self, page: RecordPage) -> Sequence[Item]:
        """Returns the items of a page, in the form that the caller asked for."""

    def _end(self) -> None:
        """Ends the listing, after its last page was consumed."""

    def _page(self) -> Program[RecordPage]:
        """Reads the page at which the walk has arrived, again if its cursor leads astray."""
        retries = 0
        with self._walk.naming_the_page():
            page = yield from self._page_at(self._walk.cursor)
            while retries < _MAX_REREADS and self._walk.leads_astray(
                page.next_cursor, is_empty=not page.records and not page.malformed
            ):
                error = IncompleteResponseError("The page leads astray.")
                wait = self._sender.retries.next_wait(
                    self._request, error, retries=retries, spent=0
                )
                if wait is None:
                    break
                retries += 1
                yield from perform(self._sender.driver.pause, wait)
                page = yield from self._page_at(self._walk.cursor)
        return page


class PageListing(Listing[RecordPage]):
    """A listing whose items are its pages."""

    def _items(self, page: RecordPage) -> Sequence[RecordPage]:
        return (page,)


class RecordListing(Listing[SyncedRecord]):
    """A listing whose items are its records; raises at the end if malformed ones were among them.

    Raises:
        MalformedRecordsError: The listing had malformed records; all others were handed out.
    """

    _pages = 0
    _malformed: tuple[MalformedRecord, ...] = ()

    def _items(self, page: RecordPage) -> Sequence[SyncedRecord]:
        self._pages += 1
        self._malformed += tuple(
            each._replace(reason=f"Page {self._pages}: {each.reason}") for each in page.malformed
        )
        return page.records

    def _end(self) -> None:
        if self._malformed:
            raise MalformedRecordsError(
                f"The listing of {self._name} has {len(self._malformed):,} malformed records; "
                f"all others were handed out. {self._malformed[0].reason}",
                malformed=self._malformed,
            )


def _contents(page: RecordPage) -> list[str]:
    """Returns the records of a page as texts, for comparing it with other pages."""
    # Where nothing says when a record changed, its data do.
    records = [f"{record.id} {record.updated_at or record.data}" for record in page.records]
    return records + [each.reason for each in page.malformed]
