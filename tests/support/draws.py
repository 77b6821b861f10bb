"""The number of random cases that a test draws."""

from __future__ import annotations

import os

__all__ = ["draws"]


def draws(count: int) -> int:
    """Returns the number of cases to draw, for the number that `make test` draws.

    `make test-all` and `make soak` draw many times as many, by ``MANAGED_SYNC_DRAWS``.
    """
    return count * int(os.environ.get("MANAGED_SYNC_DRAWS", "1"))
