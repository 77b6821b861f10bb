"""What a retrieval did, for logs, tests and curious users."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RetrievalReport"]


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """How one retrieval came to its result.

    Attributes:
        strategy: How permissions were applied, such as ``"post_filter"``.
        rounds: Searches sent to the store.
        candidates: Hits the store returned in its widest search.
        objects: Distinct objects among them, each checked once.
        checks: Access checks sent.
        returned: Passages returned.
        withheld: Hits of the widest search that the subject may not read.
        unidentified: Hits without an object id; they cannot be checked, so they are never
            returned.
        complete: Whether the result is the best there is: ``k`` passages were found, or the
            store held no more. ``False`` when the search ended at ``max_candidates``.
        subject: For whom it was.
        search_seconds: Time spent in the store.
        check_seconds: Time spent in permission checks.
    """

    strategy: str
    rounds: int
    candidates: int
    objects: int
    checks: int
    returned: int
    withheld: int
    unidentified: int
    complete: bool
    subject: str = ""
    search_seconds: float = 0.0
    check_seconds: float = 0.0
