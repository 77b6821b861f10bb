"""The settings that an index was built with: its parser, its chunker and its embedding model.

See ``docs/decisions/0044-parsers-version.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from managed_sync.documents.vectors import Vector
from managed_sync.errors import SettingsChangedError
from managed_sync.indexing.fingerprint import (
    differences,
    fingerprint,
    older_parsers,
    says_more,
    with_vector,
)
from managed_sync.indexing.ledger.ledger import PipelineLedger
from managed_sync.logs import get_logger

__all__ = ["IndexSettings"]

_logger = get_logger("managed_sync.indexing")


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """Compares the settings of a run with those in the ledger, and notes them there.

    Chunks of different settings are never mixed: a run with other settings is refused, unless it
    builds the whole index again.

    Args:
        loader: Turns records into documents.
        chunker: Splits documents.
        target: The index, with its embedding model.
    """

    loader: object
    chunker: object
    target: object

    def check(self, ledger: PipelineLedger, *, rebuild: bool = False) -> None:
        """Compares, and notes nothing.

        Raises:
            SettingsChangedError: The index was built with other settings, and is not rebuilt.
        """
        self._compare(ledger, self._fingerprint(), rebuild=rebuild)

    def note(
        self,
        ledger: PipelineLedger,
        *,
        rebuild: bool = False,
        probe: Callable[[], Vector | None] | None = None,
    ) -> None:
        """Compares, and notes the settings in the ledger.

        Args:
            ledger: The pipeline's; its lock is held.
            rebuild: Whether the whole index is built again, so that any settings will do.
            probe: Embeds a text that is always the same, so that another model under the same name
                is noticed.

        Raises:
            SettingsChangedError: The index was built with other settings, and is not rebuilt.
        """
        settings = self._fingerprint()
        if probe is not None:
            settings = with_vector(settings, _vector(probe))
        before = self._compare(ledger, settings, rebuild=rebuild)
        if rebuild:
            ledger.invalidate(settings)
        elif before is None:
            ledger.set_notes(settings=settings)
        else:
            if (version := older_parsers(before, settings)) is not None:
                _warn_of_older_texts(str(ledger.pipeline), version)
            if completed := says_more(before, settings):
                ledger.set_notes(settings=completed)

    def _fingerprint(self) -> str:
        return fingerprint(loader=self.loader, chunker=self.chunker, target=self.target)

    def _compare(self, ledger: PipelineLedger, settings: str, *, rebuild: bool) -> str | None:
        """Returns the settings in the ledger; ``None`` if it is new."""
        before: str | None = ledger.note("settings")
        if before is None and ledger.counts() != (0, 0):
            # A ledger of the first schema version, which did not note them.
            before = "{}"
        first_embedded = getattr(self.target, "first_embedded_parts", None)
        if (
            before is not None
            and not rebuild
            and (changed := differences(before, settings, first_embedded=first_embedded))
        ):
            raise SettingsChangedError(
                f"The index of {ledger.pipeline} was built with other settings: "
                f"{'; '.join(changed)}. Go back to them, or run once with rebuild=True "
                f"(--rebuild) to index every record again."
            )
        return before


@lru_cache(maxsize=1024)
def _warn_of_older_texts(pipeline: str, version: int) -> None:
    """Warns once in a process, since some programs run every minute."""
    _logger.warning(
        "Records of %s that have not changed since keep the text that an older version of the "
        "parsers read (version %d). Run once with rebuild=True (--rebuild) to read them again.",
        pipeline,
        version,
    )


def _vector(probe: Callable[[], Vector | None]) -> Vector | None:
    try:
        return probe()
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        _logger.info("The embedding model could not be tried: %s", type(error).__name__)
        return None
