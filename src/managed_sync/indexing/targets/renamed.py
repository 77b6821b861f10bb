"""Targets that were written for the first names of the protocols' methods.

``held`` is ``existing_ids`` now, ``relabel`` is ``update_metadata`` and ``can_relabel`` is
``can_update_metadata``. A target with the old names keeps working, with a ``DeprecationWarning``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, Protocol, runtime_checkable

from managed_sync.documents import Chunk
from managed_sync.indexing.targets.base import InspectableTarget, MetadataTarget

__all__ = ["RelabelingTarget", "inspectable_target", "metadata_target", "warn_of_first_name"]


@runtime_checkable
class RelabelingTarget(Protocol):
    """The protocol ``MetadataTarget`` with its first names. Deprecated."""

    @property
    def can_relabel(self) -> bool:
        """Returns whether the store behind it can change metadata without embedding."""

    def embedded_text(self, chunk: Chunk) -> str:
        """Returns the part of a chunk that goes into its vector."""

    def relabel(self, chunks: Sequence[Chunk]) -> None:
        """Writes the metadata of chunks that are in the index with the same text."""


# The whole protocol: a target may have a method `relabel` of another meaning.
_RELABELING = ("can_relabel", "embedded_text", "relabel")


def metadata_target(target: Any) -> MetadataTarget | None:
    """Returns the target, if it can change metadata under the new names or the old ones."""
    can_relabel = all(hasattr(target, name) for name in _RELABELING)
    if can_relabel and (
        _has_old_name(target, "relabel", "update_metadata")
        or _has_old_name(target, "can_relabel", "can_update_metadata")
    ):
        return _Relabeling(target)
    return target if isinstance(target, MetadataTarget) else None


def inspectable_target(target: Any) -> InspectableTarget | None:
    """Returns the target, if it can list chunks under the new names or the old ones."""
    if _has_old_name(target, "held", "existing_ids") and hasattr(target, "chunk_ids"):
        return _Holding(target)
    return target if isinstance(target, InspectableTarget) else None


def _has_old_name(target: object, old: str, new: str) -> bool:
    """Returns whether a target's own method has the old name; it may inherit the new one."""
    classes = [one for one in type(target).__mro__ if not getattr(one, "_is_protocol", False)]
    first = next((one for one in classes if old in vars(one) or new in vars(one)), None)
    if first is None:
        # A wrapper may pass on what it does not define itself.
        has_old_name = hasattr(target, old) and not hasattr(target, new)
    else:
        has_old_name = old in vars(first) and new not in vars(first)
    if has_old_name:
        warn_of_first_name(target, old, new)
    return has_old_name


def warn_of_first_name(target: object, old: str, new: str) -> None:
    """Warns the caller's caller that a method has another name now."""
    warnings.warn(
        f"{type(target).__name__}.{old} is called {new} now; rename it.",
        DeprecationWarning,
        stacklevel=3,
    )


class _Relabeling:
    """A target with the names of ``RelabelingTarget``."""

    def __init__(self, target: RelabelingTarget) -> None:
        self._target = target

    @property
    def can_update_metadata(self) -> bool:
        return self._target.can_relabel

    def embedded_text(self, chunk: Chunk) -> str:
        return self._target.embedded_text(chunk)

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        self._target.relabel(chunks)


class _Holding:
    """A target whose ``existing_ids`` is called ``held``."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def existing_ids(self, chunk_ids: Sequence[str]) -> Set[str] | None:
        found: Set[str] | None = self._target.held(chunk_ids)
        return found

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        found: Iterator[str] | None = self._target.chunk_ids(metadata)
        return found
