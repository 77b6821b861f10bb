"""The checker's requests to the Permissions API, as programs of effects.

A request is a program. It has its client call made through ``share``, which may let equal requests
that are made at the same time share one call. ``AccessChecker`` runs it, synchronously or
asynchronously, so that both ways share every decision.

Guarantees:

- A decision is ``True`` only if the API answered ``True`` to just this subject, relation and
  object: within the request, or before it by no more than the cache's lifetime for allowances.
- Every error, and every answer of another form than asked for, raises ``AccessCheckError``; none of
  the decisions of that request is handed out.
- ``on_decision`` has seen a decision before the caller sees it; an error in it withholds them all.
- A list as long as a server would cut it is never called whole.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from managed_sync.access.cache import DecisionCache, ExpiringCache
from managed_sync.access.object_ids import can_be_asked_about
from managed_sync.effects import Program, perform
from managed_sync.errors import AccessCheckError, InvalidIdentifierError
from managed_sync.identifiers import normalize_subject
from managed_sync.models import AccessCheck

__all__ = [
    "CheckClient",
    "CheckRequests",
    "Decision",
    "ListedObjects",
    "Share",
]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision whether a subject may read an object.

    Attributes:
        subject: The subject.
        relation: The relation that means "may read".
        object_id: The object.
        allowed: Whether the subject has the relation to the object.
        from_cache: Whether the decision was kept from an earlier request.
    """

    subject: str
    relation: str
    object_id: str
    allowed: bool
    from_cache: bool


@dataclass(frozen=True, slots=True)
class ListedObjects:
    """The objects that a subject may read according to a list; each is still to be checked.

    Attributes:
        object_ids: Their ids.
        whole: ``False`` when the list may have been cut off at the server's limit, or its answer
            states that it lacks some. ``True`` is no proof: a server that stops at a deadline gives
            no sign of it.
        proven: Whether nothing can be missing: the server never cuts lists off, which
            ``list_limit=None`` states, and the list was made for this request.
    """

    object_ids: frozenset[str]
    whole: bool
    proven: bool = False


class CheckClient(Protocol):
    """The client of a checker, synchronous or asynchronous."""

    def batch_check_access(
        self, checks: Sequence[AccessCheck]
    ) -> list[bool] | Awaitable[list[bool]]:
        """Decides each check, in order."""


class Share(Protocol):
    """Runs a program, once for all who share an equal key meanwhile."""

    def __call__(self, key: Hashable, program: Program[R], /) -> R | Awaitable[R]:
        """Returns the program's result."""


@dataclass(frozen=True, eq=False, repr=False)
class CheckRequests:
    """The requests about one relation.

    Args:
        client: Asks the API; for lists, it has ``list_objects`` too.
        relation: The relation that means "may read".
        decisions: Keeps decisions.
        scopes: Keeps lists, by subject.
        scope_ttl: Seconds for which a list is kept.
        list_limit: The length at which the server cuts lists off; ``None`` if it does not.
        lists_are_proven: Whether somebody vouches that nothing else makes a list end early.
        on_decision: Called with each decision.
        clock: Seconds that only ever grow; the clock of both caches.
    """

    client: Any
    relation: str
    decisions: DecisionCache
    scopes: ExpiringCache[str, ListedObjects]
    scope_ttl: float
    list_limit: int | None
    lists_are_proven: bool
    on_decision: Callable[[Decision], None] | None
    clock: Callable[[], float]

    @property
    def can_list(self) -> bool:
        """``True`` if the client has ``list_objects``."""
        return callable(getattr(self.client, "list_objects", None))

    def decide(
        self, subject: str, object_ids: Iterable[str], share: Share
    ) -> Program[tuple[Decision, ...]]:
        """Decides which of these objects the subject may read."""
        name = normalize_subject(subject)
        if isinstance(object_ids, str):
            raise InvalidIdentifierError(f"Pass a list of object ids, [{object_ids!r}], not one.")
        # Anything that is no id has no decision and so is not allowed.
        distinct = tuple(dict.fromkeys(filter(can_be_asked_about, object_ids)))
        decisions = self._kept(name, distinct) if self.decisions.is_on else {}
        missing = tuple(object_id for object_id in distinct if object_id not in decisions)
        if missing:
            key = ("decide", name, self.relation, frozenset(missing))
            try:
                decisions |= yield from perform(share, key, self._check(name, missing))
            except Exception as error:  # noqa: BLE001 - fails closed
                raise _failed_closed(error, missing) from _cause(error)
        decided = tuple(decisions[object_id] for object_id in distinct)
        if self.on_decision is not None:
            for decision in decided:
                self.on_decision(decision)
        return decided

    def list_objects(self, subject: str, share: Share) -> Program[ListedObjects]:
        """Lists the objects that the subject may read."""
        name = normalize_subject(subject)
        kept = self.kept_list(name)
        if kept is not None:
            return kept
        try:
            key = ("list", name, self.relation)
            return (yield from perform(share, key, self._list(name)))
        except Exception as error:  # noqa: BLE001 - fails closed
            raise _failed_closed(error) from _cause(error)

    def kept_list(self, subject: str) -> ListedObjects | None:
        """Returns the list that ``list_objects`` would return without a request.

        It is not proven: the subject may have been given more since it was made.
        """
        if not self.scope_ttl:
            return None
        kept = self.scopes.find(normalize_subject(subject))
        return None if kept is None else replace(kept, proven=False)

    def _check(self, name: str, object_ids: Sequence[str]) -> Program[dict[str, Decision]]:
        # Whoever waited for an equal request may find its decisions kept.
        decisions = self._kept(name, object_ids) if self.decisions.is_on else {}
        missing = [object_id for object_id in object_ids if object_id not in decisions]
        if not missing:
            return decisions
        asked_at = self.clock()
        checks = [
            AccessCheck(subject=name, relation=self.relation, object=object_id)
            for object_id in missing
        ]
        answer = yield from perform(self.client.batch_check_access, checks)
        allowed = _one_boolean_each(answer, len(missing))
        for object_id, is_allowed in zip(missing, allowed, strict=True):
            decisions[object_id] = Decision(name, self.relation, object_id, is_allowed, False)
        if self.decisions.is_on:
            kept = dict(zip(missing, allowed, strict=True))
            self.decisions.keep(name, self.relation, kept, asked_at=asked_at)
        return decisions

    def _list(self, name: str) -> Program[ListedObjects]:
        kept = self.kept_list(name)
        if kept is not None:
            return kept
        asked_at = self.clock()
        if not self.can_list:
            raise AccessCheckError("The client has no list_objects().")
        answer = yield from perform(self.client.list_objects, name, self.relation)
        object_ids = _object_ids(answer)
        limit = self.list_limit
        is_cut = limit is not None and len(object_ids) >= limit and len(object_ids) % limit == 0
        # Clients may state that a list is not whole; of other clients only the limit is known.
        states_whole = getattr(answer, "is_whole", True) is True
        listed = ListedObjects(
            frozenset(object_ids),
            whole=states_whole and not is_cut,
            proven=states_whole and self.lists_are_proven,
        )
        weight = max(1, len(object_ids))
        self.scopes.keep(name, listed, since=asked_at, lifetime=self.scope_ttl, weight=weight)
        return listed

    def _kept(self, name: str, object_ids: Iterable[str]) -> dict[str, Decision]:
        return {
            object_id: Decision(name, self.relation, object_id, allowed, from_cache=True)
            for object_id, allowed in self.decisions.find(name, self.relation, object_ids).items()
        }


def _one_boolean_each(answer: Any, count: int) -> Sequence[bool]:
    if not isinstance(answer, list | tuple):
        raise AccessCheckError(f"The client answered {count} checks with {_kind(answer)}.")
    if len(answer) != count or any(type(each) is not bool for each in answer):
        raise AccessCheckError(
            f"The client gave {len(answer)} decisions to {count} checks, or decisions that are not "
            f"true or false; none of them can be trusted."
        )
    return answer


def _object_ids(answer: Any) -> Sequence[str]:
    if not isinstance(answer, list | tuple):
        raise AccessCheckError(f"The client answered with {_kind(answer)}, not a list of ids.")
    if not all(isinstance(each, str) and each for each in answer):
        raise AccessCheckError(
            "The client's list holds something that is not an object id; none of it can be trusted."
        )
    return answer


def _kind(answer: Any) -> str:
    return f"a value of type {type(answer).__name__}"


def _failed_closed(error: Exception, undecided: Sequence[str] = ()) -> AccessCheckError:
    """Returns an ``AccessCheckError`` for any error: one for each caller who shared a request."""
    if isinstance(error, AccessCheckError):
        return AccessCheckError(str(error), undecided=undecided)
    subject = f"{len(undecided)} access checks have" if undecided else "The list of objects has"
    return AccessCheckError(
        f"{subject} no trustworthy answer: {str(error) or type(error).__name__}",
        undecided=undecided,
    )


def _cause(error: Exception) -> BaseException:
    return error.__cause__ or error if isinstance(error, AccessCheckError) else error
