"""The passages of a search result that a subject may read, for filters behind a retriever.

Guarantees:

- A passage is kept only if a check in this very call allowed the object that it came from.
- All passages of an allowed object are kept, in their order. A passage without an object id is
  not, and neither is one of another project.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, TypeVar

from managed_sync.access.checker import AccessChecker
from managed_sync.access.object_ids import OWN_FIELD, ObjectIds

__all__ = ["areadable_passages", "readable_passages"]

Passage = TypeVar("Passage")


def readable_passages(
    checker: AccessChecker,
    subject: str,
    passages: Iterable[tuple[Mapping[str, Any], Passage]],
    object_ids: ObjectIds = OWN_FIELD,
) -> list[Passage]:
    """Returns the passages that a subject may read, in their order.

    Args:
        checker: The access checker.
        subject: The user.
        passages: Each with its metadata.
        object_ids: Finds the id of a passage's object in its metadata.

    Raises:
        AccessCheckError: Some object has no trustworthy decision.
        ConfigurationError: The checker knows no project, and the passages are of several.
    """
    checkable = _checkable(checker, passages, object_ids)
    return _kept(checkable, checker.allowed(subject, [object_id for object_id, _ in checkable]))


async def areadable_passages(
    checker: AccessChecker,
    subject: str,
    passages: Iterable[tuple[Mapping[str, Any], Passage]],
    object_ids: ObjectIds = OWN_FIELD,
) -> list[Passage]:
    """Like ``readable_passages``, without blocking the event loop."""
    checkable = _checkable(checker, passages, object_ids)
    allowed = await checker.aallowed(subject, [object_id for object_id, _ in checkable])
    return _kept(checkable, allowed)


def _checkable(
    checker: AccessChecker,
    passages: Iterable[tuple[Mapping[str, Any], Passage]],
    object_ids: ObjectIds,
) -> list[tuple[str, Passage]]:
    """Returns the passages of the checker's project that name an object, each with its id."""
    boundary = checker.boundary()
    return [
        (object_id, passage)
        for metadata, passage in passages
        if boundary.is_inside(metadata.get("project_id"))
        and (object_id := object_ids.of(metadata)) is not None
    ]


def _kept(passages: Iterable[tuple[str, Passage]], allowed: Set[str]) -> list[Passage]:
    return [passage for object_id, passage in passages if object_id in allowed]
