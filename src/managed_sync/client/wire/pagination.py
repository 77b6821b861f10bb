"""Listings that come page after page: they end, or it is an error that names the page."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import blake2b

from managed_sync.errors import ApiError, ResponseFormatError

__all__ = ["PageWalk"]

# A listing that changes while it is read may shift so that a page comes twice; not more in a row.
_MOST_REPEATED = 20


class PageWalk:
    """Follows the cursors of one listing, and notices when they lead in a circle or nowhere.

    A server may also give the same pages again and again, each with a cursor that is new.

    Args:
        listing: What is listed, for messages.
        cursor: Where it begins, if that is not its beginning.
    """

    def __init__(self, listing: str = "records", cursor: str | None = None) -> None:
        self.cursor = cursor
        self._listing = listing
        self._page = 1
        self._seen: set[bytes] = set() if cursor is None else {_digest(cursor)}
        self._contents: set[bytes] = set()
        self._repeated = 0

    def follow(self, next_cursor: str | None, *, items: Collection[str]) -> bool:
        """Takes the next cursor; ``False`` when the page was the last one.

        Args:
            next_cursor: What the page has for one.
            items: What else is on it; an item that changed is another one.

        Raises:
            ResponseFormatError: The cursor was followed before, or many pages in a row had nothing
                but what an earlier page had, so that the listing never ends; or the page has
                nothing on it and yet a cursor, so that something may be missing.
        """
        if next_cursor is None:
            return False
        if self._repeats(next_cursor):
            raise ResponseFormatError(
                f"The listing of {self._listing} does not end: page {self._page} repeats a cursor "
                f"that was already followed."
            )
        if not items:
            raise ResponseFormatError(
                f"The listing of {self._listing} may not be whole: page {self._page} has nothing "
                f"on it, and yet a cursor."
            )
        content = _digest("\n".join(sorted(items)))
        self._repeated = self._repeated + 1 if content in self._contents else 0
        if self._repeated > _MOST_REPEATED:
            raise ResponseFormatError(
                f"The listing of {self._listing} does not end: page {self._page} and "
                f"{_MOST_REPEATED} before it have nothing but what earlier pages had, and yet "
                f"new cursors."
            )
        self._contents.add(content)
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


def _digest(text: str) -> bytes:
    # Cursors and pages can be long and many; what has to be remembered of each is small.
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
