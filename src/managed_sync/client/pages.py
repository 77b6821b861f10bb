"""Listings that come page after page: they end, or it is an error that names the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from managed_sync.errors import ApiError, ResponseFormatError

__all__ = ["PageWalk"]

_MOST_EMPTY_PAGES = 100


class PageWalk:
    """Follows the cursors of one listing, and notices when they lead in a circle or nowhere.

    Args:
        listing: What is listed, for messages.
    """

    def __init__(self, listing: str = "records") -> None:
        self.cursor: str | None = None
        self._listing = listing
        self._page = 1
        self._empty_pages = 0
        self._seen: set[bytes] = set()

    def follow(self, next_cursor: str | None, *, is_empty: bool) -> bool:
        """Takes the next cursor; ``False`` when the page was the last one.

        Args:
            next_cursor: What the page has for one.
            is_empty: Whether nothing else was on the page.

        Raises:
            ResponseFormatError: The cursor was followed before, or there was page after page
                with nothing on it, so that the listing never ends.
        """
        if next_cursor is None:
            return False
        self._empty_pages = self._empty_pages + 1 if is_empty else 0
        if self.repeats(next_cursor):
            raise ResponseFormatError(
                f"The listing of {self._listing} does not end: page {self._page} repeats a cursor "
                f"that was already followed."
            )
        if self._empty_pages >= _MOST_EMPTY_PAGES:
            raise ResponseFormatError(
                f"The listing of {self._listing} does not end: page {self._page} is number "
                f"{_MOST_EMPTY_PAGES} in a row with nothing on it."
            )
        self.cursor = next_cursor
        self._seen.add(_digest(next_cursor))
        self._page += 1
        return True

    def repeats(self, next_cursor: str | None) -> bool:
        """Whether a cursor leads to a page that was already read."""
        return next_cursor is not None and _digest(next_cursor) in self._seen

    @contextmanager
    def naming_the_page(self) -> Iterator[None]:
        """Says in an error at which page it happened."""
        try:
            yield
        except ApiError as error:
            error.args = (f"Page {self._page} of the listing of {self._listing}: {error}",)
            raise


def _digest(cursor: str) -> bytes:
    # Cursors can be long and many; what has to be remembered of each is small.
    return blake2b(cursor.encode("utf-8", "surrogatepass"), digest_size=16).digest()
