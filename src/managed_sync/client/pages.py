"""Listings that come page after page: they end, or it is an error that names the page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from managed_sync.errors import ApiError, ResponseFormatError

__all__ = ["PageWalk"]


class PageWalk:
    """Follows the cursors of one listing, and notices when they lead in a circle or nowhere.

    Args:
        listing: What is listed, for messages.
        cursor: Where it begins, if that is not its beginning.
    """

    def __init__(self, listing: str = "records", cursor: str | None = None) -> None:
        self.cursor = cursor
        self._listing = listing
        self._page = 1
        self._seen: set[bytes] = set() if cursor is None else {_digest(cursor)}

    def follow(self, next_cursor: str | None, *, is_empty: bool) -> bool:
        """Takes the next cursor; ``False`` when the page was the last one.

        Args:
            next_cursor: What the page has for one.
            is_empty: Whether nothing else was on the page.

        Raises:
            ResponseFormatError: The cursor was followed before, so that the listing never ends, or
                the page has nothing on it and yet a cursor, so that something may be missing.
        """
        if next_cursor is None:
            return False
        if self._repeats(next_cursor):
            raise ResponseFormatError(
                f"The listing of {self._listing} does not end: page {self._page} repeats a cursor "
                f"that was already followed."
            )
        if is_empty:
            raise ResponseFormatError(
                f"The listing of {self._listing} may not be whole: page {self._page} has nothing "
                f"on it, and yet a cursor."
            )
        self.cursor = next_cursor
        self._seen.add(_digest(next_cursor))
        self._page += 1
        return True

    def leads_astray(self, next_cursor: str | None, *, is_empty: bool) -> bool:
        """Whether a page has a cursor that ``follow`` refuses."""
        return next_cursor is not None and (is_empty or self._repeats(next_cursor))

    def _repeats(self, next_cursor: str) -> bool:
        return _digest(next_cursor) in self._seen

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
