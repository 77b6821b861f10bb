"""Which of some objects a subject may read, now.

What this module promises:

- An object is allowed only if the Permissions API answered ``true`` for it in this very call.
- Every error, and every answer that is not one boolean for each question, raises
  ``AccessCheckError``; nothing is allowed on the side.
- Each distinct object is asked about once a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Protocol

from managed_sync.errors import AccessCheckError
from managed_sync.identifiers import normalize_subject
from managed_sync.models import AccessCheck

__all__ = ["AccessChecker", "BatchCheckClient"]


class BatchCheckClient(Protocol):
    """What the checker needs of a client."""

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        """Decides each check, in order."""


class AccessChecker:
    """Asks the Permissions API which objects a subject may read.

    Args:
        client: A ``ManagedSyncClient``, or anything with its ``batch_check_access``.
        relation: The relation that means "may read"; stronger ones imply it in the API.

    Example:
        >>> class Everybody:
        ...     def batch_check_access(self, checks):
        ...         return [check.object == "file:1" for check in checks]
        >>> AccessChecker(Everybody()).allowed("alice@example.com", ["file:1", "file:2"])
        {'file:1'}
    """

    def __init__(self, client: BatchCheckClient, relation: str = "viewer") -> None:
        self._client = client
        self.relation = relation

    def allowed(self, subject: str, object_ids: Iterable[str]) -> set[str]:
        """The objects among ``object_ids`` that ``subject`` may read.

        Raises:
            AccessCheckError: Some object has no trustworthy decision.
            InvalidIdentifierError: ``subject`` is not one.
        """
        name = normalize_subject(subject)
        distinct = [object_id for object_id in dict.fromkeys(object_ids) if object_id]
        if not distinct:
            return set()
        checks = [
            AccessCheck(subject=name, relation=self.relation, object=object_id)
            for object_id in distinct
        ]
        try:
            decisions = self._client.batch_check_access(checks)
        except AccessCheckError:
            raise
        except Exception as error:
            raise AccessCheckError(
                f"{len(distinct)} access checks have no decision: {error}", undecided=distinct
            ) from error
        if len(decisions) != len(distinct) or any(type(answer) is not bool for answer in decisions):
            raise AccessCheckError(
                f"The client gave {len(decisions)} decisions to {len(distinct)} checks, or "
                f"decisions that are not true or false; none of them can be trusted.",
                undecided=distinct,
            )
        return {
            object_id
            for object_id, decision in zip(distinct, decisions, strict=True)
            if decision is True
        }

    async def aallowed(self, subject: str, object_ids: Iterable[str]) -> set[str]:
        """Like ``allowed``, without blocking the event loop."""
        return await asyncio.to_thread(self.allowed, subject, list(object_ids))
