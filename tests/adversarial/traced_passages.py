"""Passages for the tests of tracing: few may be read, and a word in all others must not be seen.

The word must not be in the name of this module, which stands in the tracebacks that traces show.
"""

from __future__ import annotations

from managed_sync import AccessChecker
from tests.support.passages import Passage
from tests.support.permission_service import FakePermissionService

__all__ = [
    "FINE",
    "PASSAGES",
    "assert_shows_only_what_was_returned",
    "broken_checker",
    "checker",
]

# "canary" is in every text, id and title that may not be seen.
PASSAGES = [
    Passage(f"fine {n}", f"file:fine-{n}", f"chunk-fine-{n}", 1 - n / 100, {"title": "Fine"})
    if n % 10 == 7
    else Passage(
        f"canary {n}", f"file:canary-{n}", f"chunk-canary-{n}", 1 - n / 100, {"title": "canary"}
    )
    for n in range(60)
]
FINE = [passage for passage in PASSAGES if "fine" in passage.text]


def checker() -> AccessChecker:
    return AccessChecker(FakePermissionService(alice=[passage.object_id for passage in FINE]))


def broken_checker() -> AccessChecker:
    service = FakePermissionService()

    def fail(_: str) -> None:
        raise TimeoutError("slow")

    service.before = fail
    return AccessChecker(service)


def assert_shows_only_what_was_returned(seen: list[str], texts: list[str] | None = None) -> None:
    everything = "\n".join(seen)
    assert all(text in everything for text in texts or [passage.text for passage in FINE])
    leaks = [each for each in seen if "canary" in each]
    assert not leaks, f"{len(leaks)} of {len(seen)} records show it, as {leaks[0][:500]}"
