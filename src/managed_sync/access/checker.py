"""Decides which objects a subject may read, now.

Guarantees:

- An object is allowed only if the Permissions API answered ``true`` for it after this call was
  made, or, where the caller set a lifetime for decisions, within that lifetime before it.
- Every error, and every answer that is not one boolean for each check, raises
  ``AccessCheckError``; nothing is allowed on the side.
- Each distinct object is asked about once a call.
- Callers who ask at the same time never share a decision about another subject, relation or object.
- A chunk that names another project than the checker's is never checked and never returned. One
  that names no project is returned only by a checker whose ``project_id`` was not given. A checker
  that knows no project returns nothing from a result that holds chunks of several.

The decisions are made by the programs of ``check_requests``; a checker runs them.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from managed_sync.access.cache import DecisionCache, ExpiringCache
from managed_sync.access.check_requests import CheckRequests, Decision, ListedObjects
from managed_sync.access.single_flight import SingleFlight
from managed_sync.arguments import check_integer, check_number, check_text
from managed_sync.effects import Program, arun, run
from managed_sync.errors import ConfigurationError
from managed_sync.models import AccessCheck

__all__ = [
    "AccessChecker",
    "AsyncBatchCheckClient",
    "BatchCheckClient",
    "Decision",
    "ListedObjects",
    "ProjectBoundary",
]

_USUAL_LIST_LIMIT = 1000

_IS_ASYNCHRONOUS = (
    "The client is asynchronous: await aallowed(), adecide() or alist_objects(), or give the "
    "checker a ManagedSyncClient."
)

R = TypeVar("R")


class BatchCheckClient(Protocol):
    """A client for a checker; for ``AccessChecker.list_objects`` it needs that method too."""

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        """Decides each check, in order."""


class AsyncBatchCheckClient(Protocol):
    """An asynchronous client for a checker, like ``BatchCheckClient``."""

    async def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        """Decides each check, in order."""


@dataclass(slots=True)
class ProjectBoundary:
    """Tells the chunks of one project from those of others, throughout one retrieval.

    Object ids are unique in one project only, so the Permissions API of one project says nothing
    about the chunks of another.

    Attributes:
        project_id: The checker's project; ``None`` if it knows none.
        is_strict: Whether a chunk must name its project.
    """

    project_id: str | None
    is_strict: bool
    _named: set[str] = field(default_factory=set)

    def is_inside(self, project_id: object) -> bool:
        """Returns whether a chunk whose metadata has this ``project_id`` is of the project.

        Raises:
            ConfigurationError: The checker knows no project, and chunks of two were found.
        """
        if project_id is None or project_id == "":
            return not self.is_strict
        if self.project_id is not None:
            return project_id == self.project_id
        self._named.add(str(project_id))
        if len(self._named) > 1:
            raise ConfigurationError(
                "The store holds chunks of several projects, and the checker knows no project: "
                "their object ids could be equal. Pass AccessChecker(..., project_id=...)."
            )
        return True


class AccessChecker:
    """Asks the Permissions API which objects a subject may read.

    Safe to share between threads and tasks. No decision is kept unless a lifetime is set, so that a
    revocation holds from the very next call. Equal checks that are made at the same time share a
    request, but only one that is sent after each of them was made.

    Args:
        client: A ``ManagedSyncClient``, or anything with its ``batch_check_access`` and, for
            ``list_objects``, its method of that name. If these are coroutine functions, use the
            checker's asynchronous methods; they call any other client in a thread.
        relation: The relation that means "may read"; stronger ones imply it in the API.
        project_id: The project whose objects are checked; by default the client's. Passages of
            other projects in the same store are never returned. If you pass it, passages that do
            not name their project are not returned either.
        allow_ttl: Seconds for which an allowance may be used again, counted from before it was
            requested. A revocation may go unnoticed for as long.
        deny_ttl: The same for denials: a new permission may go unnoticed for as long.
        cache_size: The largest number of decisions that are kept, those used last; and, for kept
            lists, of ids in all of them together.
        scope_ttl: Seconds for which a subject's list of objects may be used again.
        list_limit: The length at which the server cuts lists off, as servers do without notice.
            ``None`` states that it never does, not even at a deadline, so that a list is taken for
            everything that a subject may read. The default is the limit that the client knows of
            its API, or else a thousand; a list is never taken for everything then, since an API
            that streams may end a list early, or refuse a part of it, without notice.
        on_decision: Called with each decision before the caller sees it, from the caller's thread,
            for example to write an audit log. Its error is raised to the caller, who gets no
            decision.
        clock: Returns seconds that only ever grow.

    Raises:
        ConfigurationError: An argument makes no sense.

    Examples:
        >>> class Everybody:
        ...     def batch_check_access(self, checks):
        ...         return [check.object == "file:1" for check in checks]
        >>> AccessChecker(Everybody()).allowed("alice@example.com", ["file:1", "file:2"])
        {'file:1'}
    """

    def __init__(
        self,
        client: BatchCheckClient | AsyncBatchCheckClient,
        relation: str = "viewer",
        *,
        project_id: str | None = None,
        allow_ttl: float = 0.0,
        deny_ttl: float = 0.0,
        cache_size: int = 10_000,
        scope_ttl: float = 0.0,
        list_limit: int | Literal["auto"] | None = "auto",
        on_decision: Callable[[Decision], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_text("relation", relation, example="viewer")
        for name, seconds in (
            ("allow_ttl", allow_ttl),
            ("deny_ttl", deny_ttl),
            ("scope_ttl", scope_ttl),
        ):
            check_number(name, seconds, unit="seconds")
        check_integer("cache_size", cache_size)
        limit = _limit_of(client) if list_limit == "auto" else list_limit
        if limit is not None:
            check_integer("list_limit", limit, alternative="'auto' or None")
        if inspect.iscoroutinefunction(on_decision):
            raise ConfigurationError(
                "on_decision must be an ordinary function: nobody would await a coroutine."
            )
        if project_id is not None:
            check_text("project_id", project_id, example="p1", alternative="None")
        own = getattr(client, "project_id", None)
        if project_id is not None and isinstance(own, str) and own != project_id:
            raise ConfigurationError(
                f"project_id is {project_id!r}, but the client asks about the project {own!r}. "
                f"Leave project_id out, or pass a client of that project."
            )
        self._is_strict = project_id is not None
        self._project_id = project_id or (own if isinstance(own, str) and own else None)
        self._client = client
        self._is_asynchronous = inspect.iscoroutinefunction(client.batch_check_access)
        self._flights = SingleFlight()
        self._requests = CheckRequests(
            client,
            relation,
            decisions=DecisionCache(
                allow_ttl=allow_ttl, deny_ttl=deny_ttl, size=cache_size, clock=clock
            ),
            scopes=ExpiringCache(cache_size, clock),
            scope_ttl=scope_ttl,
            list_limit=limit,
            lists_are_proven=list_limit is None,
            on_decision=on_decision,
            clock=clock,
        )

    @property
    def relation(self) -> str:
        """The relation that means "may read"."""
        return self._requests.relation

    @property
    def project_id(self) -> str | None:
        """The project whose objects are checked; ``None`` if it is not known."""
        return self._project_id

    def boundary(self) -> ProjectBoundary:
        """Returns the boundary between this project's chunks and others, for one retrieval."""
        return ProjectBoundary(self._project_id, is_strict=self._is_strict)

    @property
    def lists_are_proven(self) -> bool:
        """``True`` if a list that was just made is known to lack nothing; see ``list_limit``."""
        return self._requests.lists_are_proven

    @property
    def can_list(self) -> bool:
        """``True`` if the client has ``list_objects``; without it everything else still works."""
        return self._requests.can_list

    def allowed(self, subject: str, object_ids: Iterable[str]) -> set[str]:
        """Returns the objects among ``object_ids`` that ``subject`` may read.

        A value that is no id, such as ``None`` or an empty text, is not checked and not allowed.

        Raises:
            AccessCheckError: Some object has no trustworthy decision.
            InvalidIdentifierError: ``subject`` is not one.
            ConfigurationError: The client is asynchronous.
        """
        return _readable(self.decide(subject, object_ids))

    async def aallowed(self, subject: str, object_ids: Iterable[str]) -> set[str]:
        """Like ``allowed``, without blocking the event loop."""
        return _readable(await self.adecide(subject, object_ids))

    def decide(self, subject: str, object_ids: Iterable[str]) -> tuple[Decision, ...]:
        """Returns a decision for each distinct id, in order; raises what ``allowed`` raises."""
        if self._is_asynchronous:
            raise ConfigurationError(_IS_ASYNCHRONOUS)
        return run(self._requests.decide(subject, object_ids, self._flights.run))

    async def adecide(self, subject: str, object_ids: Iterable[str]) -> tuple[Decision, ...]:
        """Like ``decide``, without blocking the event loop."""
        return await arun(self._requests.decide(subject, object_ids, self._ashare))

    def list_objects(self, subject: str) -> ListedObjects:
        """Returns the objects that ``subject`` may read, as far as the server lists them.

        A list saves searching in vain; it decides nothing. Check what is found with it with
        ``allowed``.

        Raises:
            AccessCheckError: There is no trustworthy list.
            InvalidIdentifierError: ``subject`` is not one.
            ConfigurationError: The client is asynchronous.
        """
        if self._is_asynchronous:
            raise ConfigurationError(_IS_ASYNCHRONOUS)
        return run(self._requests.list_objects(subject, self._flights.run))

    async def alist_objects(self, subject: str) -> ListedObjects:
        """Like ``list_objects``, without blocking the event loop."""
        return await arun(self._requests.list_objects(subject, self._ashare))

    def kept_list(self, subject: str) -> ListedObjects | None:
        """Returns the list kept by ``scope_ttl``, if there is one; never blocks."""
        return self._requests.kept_list(subject)

    async def _ashare(self, key: Hashable, program: Program[R]) -> R:
        if self._is_asynchronous:
            return await self._flights.arun(key, program)
        return await self._flights.arun_in_thread(key, program)


def _readable(decisions: Iterable[Decision]) -> set[str]:
    return {decision.object_id for decision in decisions if decision.allowed}


def _limit_of(client: object) -> int | None:
    limit: int | None = getattr(client, "list_limit", _USUAL_LIST_LIMIT)
    return limit
