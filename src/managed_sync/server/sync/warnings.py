"""The warnings of a sync: sentences about items and grants that it left out."""

from __future__ import annotations

from managed_sync.logs import get_logger

__all__ = ["SyncWarnings"]

_logger = get_logger("managed_sync.server")

_MAX_WARNINGS = 100


class SyncWarnings:
    """The first warnings of a sync, and the number of further ones."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._more = 0

    def add(self, sentence: str) -> None:
        """Adds a warning, and logs it."""
        # A warning may quote any name; one that cannot be encoded must not stop the sync.
        sentence = sentence.encode(errors="backslashreplace").decode()
        _logger.warning("%s", sentence)
        if len(self._sentences) < _MAX_WARNINGS:
            self._sentences.append(sentence)
        else:
            self._more += 1

    def sentences(self) -> list[str]:
        """Returns the warnings to show."""
        if not self._more:
            return list(self._sentences)
        return [*self._sentences, f"There are {self._more} more warnings; see the log."]
