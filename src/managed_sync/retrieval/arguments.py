"""Checks of arguments that both frameworks' retrievers take."""

from __future__ import annotations

from managed_sync.errors import ConfigurationError

__all__ = ["check_count"]


def check_count(name: str, value: object, *, at_most: int | None = None) -> int:
    """Returns a number of passages, objects or hits.

    Raises:
        ConfigurationError: It is not an integer of at least 1, or above the limit.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        if at_most is None or value <= at_most:
            return value
        raise ConfigurationError(
            f"{name} must be an integer <= max_candidates, which is {at_most}, got {value}."
        )
    raise ConfigurationError(f"{name} must be an integer >= 1, got {value!r}.")
