"""Follows the cursors of a listing that comes page by page.

Guarantees:

- A listing ends: cursors that repeat, and pages that repeat, raise.
- An error names the page at which it happened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from managed_sync.errors import ApiError, ResponseFormatError

__all__ = ["PageWalk"]

# A listing that changes while it is read may shift, and repeat some pages; not more in a row.
_MAX_REPEATED = 20


class PageWalk:
    """Follows the cursors of one listing, and detects cursors that lead in a circle or nowhere.

    It also detects a server that repeats the same pages with new cursors.

    Args:
        listing: The name of the listing, for messages.
        cursor: The cursor of the first page, unless that is the beginning of the listing.
    """

    def __init__(self, listing: str = "records", cursor: str | None = None) -> None:
        self.cursor = cursor
        self._listing = listing
        self._page = 1
        self._seen: set[bytes] = set() if cursor is None else {_digest(cursor)}
        self._contents: set[bytes] = set()
        self._repeated = 0

    def follow(self, next_cursor: str | None, *, items: Collection[str]) -> bool:
        """Goes on to the next page; returns ``False`` if the page was the last one.

        Args:
            next_cursor: The page's cursor.
            items: The page's items. A changed item counts as another item.

        Raises:
            ResponseFormatError: The listing does not end, since the cursor was followed before, or
                many pages in a row repeat earlier pages; or something may be missing, since the
                page has a cursor and no items.
        """
        if next_cursor is None:
            return False
        if self._repeats(next_cursor):
            raise ResponseFormatError(
                f"The listing of {self._listing} does not end: page {self._page} repeats a cursor "
                f"that was followed before."
            )
        if not items:
            raise ResponseFormatError(
                f"The listing of {self._listing} may be incomplete: page {self._page} has a "
                f"cursor, but no items."
            )
        content = _digest("\n".join(sorted(items)))
        self._repeated = self._repeated + 1 if content in self._contents else 0
        if self._repeated > _MAX_REPEATED:
            raise ResponseFormatError(
                f"The listing of {self._listing} does not end: page {self._page} and "
                f"{_MAX_REPEATED} before it repeat earlier pages with new cursors."
            )
        self._contents.add(content)
        self.cursor = next_cursor
        self._seen.add(_digest(next_cursor))
        self._page += 1
        return True

    def leads_astray(self, next_cursor: str | None, *, is_empty: bool) -> bool:
        """Returns whether ``follow`` would refuse a page's cursor."""
        return next_cursor is not None and (is_empty or self._repeats(next_cursor))

    def _repeats(self, next_cursor: str) -> bool:
        return _digest(next_cursor) in self._seen

    @contextmanager
    def naming_the_page(self) -> Iterator[None]:
        """Adds the number of the page to an error."""
        try:
            yield
        except ApiError as error:
            error.args = (f"Page {self._page} of the listing of {self._listing}: {error}",)
            raise


def _digest(text: str) -> bytes:
    # Cursors and pages can be long and many, so that only a digest of each is kept.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
