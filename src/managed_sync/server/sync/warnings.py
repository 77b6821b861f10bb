"""What a sync left out, in sentences for people."""

from __future__ import annotations

from managed_sync.logs import get_logger

__all__ = ["SyncWarnings"]

_log = get_logger("managed_sync.server")

_MAX_WARNINGS = 100


class SyncWarnings:
    """Sentences about what was left out; the first ones, and how many more there are."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._more = 0

    def add(self, sentence: str) -> None:
        """Takes a sentence, and logs it."""
        # A sentence quotes names of any kind; what cannot be written must not stop the sync.
        sentence = sentence.encode(errors="backslashreplace").decode()
        _log.warning("%s", sentence)
        if len(self._sentences) < _MAX_WARNINGS:
            self._sentences.append(sentence)
        else:
            self._more += 1

    def sentences(self) -> list[str]:
        """The sentences to show."""
        if not self._more:
            return list(self._sentences)
        return [*self._sentences, f"There are {self._more} more such warnings; see the log."]
