"""The checker's questions to the Permissions API and what becomes of the answers, without I/O.

A question is a generator in two layers: the outer one yields a ``Shared`` piece of work, which
equal questions may have done together; the work yields a ``Call`` of the client where the cache
does not suffice. The drivers in ``checker`` carry both out, so that the synchronous and the
asynchronous way share every decision.

Guarantees:

- A decision is ``True`` only if the API answered ``True`` to just this subject, relation and
  object: within the question, or as long before it as the cache's lifetime for allowances allows.
- Every error, and every answer of another form than asked for, raises ``AccessCheckError``; none of
  the decisions of that question is handed out.
- ``on_decision`` has seen a decision before the caller sees it; an error in it withholds them all.
- A list as long as a server would cut it is never called whole.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from managed_sync.access.cache import DecisionCache, ExpiringCache
from managed_sync.errors import AccessCheckError, InvalidIdentifierError
from managed_sync.identifiers import normalize_subject
from managed_sync.models import AccessCheck

__all__ = [
    "Call",
    "Decision",
    "ListedObjects",
    "Questions",
    "Shared",
    "can_be_asked_about",
]


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a subject may read an object.

    Attributes:
        from_cache: Whether the answer is one that was kept, and not asked for now.
    """

    subject: str
    relation: str
    object_id: str
    allowed: bool
    from_cache: bool


@dataclass(frozen=True, slots=True)
class ListedObjects:
    """The objects that a subject may read, as a list says; each is still to be checked.

    Attributes:
        whole: ``False`` when the list may have been cut off at the server's limit, or its answer
            says so itself. ``True`` is no proof: a server that stops at a deadline does not say so.
        proven: Whether nothing can be missing: the server never cuts lists off, which
            ``list_limit=None`` states, and the list was made for this question.
    """

    object_ids: frozenset[str]
    whole: bool
    proven: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """Step of the work: call this method of the client."""

    method: str
    arguments: tuple[Any, ...]


Work: TypeAlias = Generator[Call, Any, Any]


@dataclass(frozen=True, slots=True)
class Shared:
    """Step of a question: do this work, once for all who ask for an equal key meanwhile."""

    key: Hashable
    work: Callable[[], Work]


class Questions:
    """What can be asked about one relation.

    Args:
        relation: The relation that means "may read".
        decisions: Where decisions are kept.
        scopes: Where lists are kept, by subject.
        scope_ttl: Seconds for which a list is kept.
        list_limit: Where the server cuts lists off; ``None`` if it does not.
        lists_are_proven: Whether somebody vouches for it that nothing else makes a list end early.
        on_decision: Is told of each decision.
        clock: Seconds that only ever grow; the clock of both caches.
    """

    def __init__(
        self,
        relation: str,
        *,
        decisions: DecisionCache,
        scopes: ExpiringCache[str, ListedObjects],
        scope_ttl: float,
        list_limit: int | None,
        lists_are_proven: bool,
        on_decision: Callable[[Decision], None] | None,
        clock: Callable[[], float],
    ) -> None:
        self.relation = relation
        self._decisions = decisions
        self._scopes = scopes
        self._scope_ttl = scope_ttl
        self.list_limit = list_limit
        self.lists_are_proven = lists_are_proven
        self._on_decision = on_decision
        self._clock = clock

    def decide(
        self, subject: str, object_ids: Iterable[str]
    ) -> Generator[Shared, dict[str, Decision], tuple[Decision, ...]]:
        """Question: which of these objects may the subject read?"""
        name = normalize_subject(subject)
        distinct = _distinct(object_ids)
        decided = self._remembered(name, distinct)
        missing = tuple(object_id for object_id in distinct if object_id not in decided)
        if missing:
            key = ("decide", name, self.relation, frozenset(missing))
            with _failing_closed(missing):
                decided |= yield Shared(key, partial(self._check, name, missing))
        decisions = tuple(decided[object_id] for object_id in distinct)
        if self._on_decision is not None:
            for decision in decisions:
                self._on_decision(decision)
        return decisions

    def list_objects(self, subject: str) -> Generator[Shared, ListedObjects, ListedObjects]:
        """Question: which objects may the subject read?"""
        name = normalize_subject(subject)
        kept = self.kept_list(name)
        if kept is not None:
            return kept
        with _failing_closed():
            listed = yield Shared(("list", name, self.relation), partial(self._list, name))
        return listed

    def kept_list(self, subject: str) -> ListedObjects | None:
        """The list that ``list_objects`` would answer with unasked.

        It is not proven: the subject may have been given more since it was made.
        """
        kept = self._scopes.find(normalize_subject(subject))
        return None if kept is None else replace(kept, proven=False)

    def _check(
        self, name: str, object_ids: Sequence[str]
    ) -> Generator[Call, Any, dict[str, Decision]]:
        # Whoever waited for an equal question may find its answers kept.
        decided = self._remembered(name, object_ids)
        missing = [object_id for object_id in object_ids if object_id not in decided]
        if not missing:
            return decided
        asked_at = self._clock()
        with _failing_closed(missing):
            checks = [
                AccessCheck(subject=name, relation=self.relation, object=object_id)
                for object_id in missing
            ]
            answers = _one_boolean_each((yield Call("batch_check_access", (checks,))), len(missing))
        allowed = dict(zip(missing, answers, strict=True))
        self._decisions.keep(name, self.relation, allowed, asked_at=asked_at)
        return decided | self._as_decisions(name, allowed, from_cache=False)

    def _list(self, name: str) -> Generator[Call, Any, ListedObjects]:
        kept = self.kept_list(name)
        if kept is not None:
            return kept
        asked_at = self._clock()
        with _failing_closed():
            answer = yield Call("list_objects", (name, self.relation))
            object_ids = _object_ids(answer)
        cut = (
            self.list_limit is not None
            and len(object_ids) >= self.list_limit
            and len(object_ids) % self.list_limit == 0
        )
        # Clients may say of a list that it is not whole; of other clients only the limit is known.
        says_whole = getattr(answer, "is_whole", True) is True
        whole = says_whole and not cut
        proven = says_whole and self.lists_are_proven
        listed = ListedObjects(frozenset(object_ids), whole=whole, proven=proven)
        weight = max(1, len(object_ids))
        self._scopes.keep(name, listed, since=asked_at, lifetime=self._scope_ttl, weight=weight)
        return listed

    def _remembered(self, name: str, object_ids: Iterable[str]) -> dict[str, Decision]:
        allowed = self._decisions.find(name, self.relation, object_ids)
        return self._as_decisions(name, allowed, from_cache=True)

    def _as_decisions(
        self, name: str, allowed: dict[str, bool], *, from_cache: bool
    ) -> dict[str, Decision]:
        return {
            object_id: Decision(name, self.relation, object_id, answer, from_cache)
            for object_id, answer in allowed.items()
        }


def _distinct(object_ids: Iterable[str]) -> tuple[str, ...]:
    """The ids that can be asked about; what is not one has no decision and so is not allowed."""
    if isinstance(object_ids, str):
        raise InvalidIdentifierError(f"Pass a list of object ids, [{object_ids!r}], not one.")
    return tuple(dict.fromkeys(filter(can_be_asked_about, object_ids)))


def can_be_asked_about(object_id: Any) -> bool:
    """Returns whether a value found in a store can be the id of an object."""
    if not isinstance(object_id, str) or not object_id:
        return False
    try:
        object_id.encode()
    except UnicodeEncodeError:
        # One broken id in a store must not make the questions about all others fail.
        return False
    return True


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


@contextmanager
def _failing_closed(undecided: Sequence[str] = ()) -> Iterator[None]:
    """Makes every error an ``AccessCheckError``, and one of its own for each who shared work."""
    try:
        yield
    except AccessCheckError as error:
        raise AccessCheckError(str(error), undecided=undecided) from (error.__cause__ or error)
    except Exception as error:
        what = f"{len(undecided)} access checks have" if undecided else "The list of objects has"
        raise AccessCheckError(
            f"{what} no trustworthy answer: {str(error) or type(error).__name__}",
            undecided=undecided,
        ) from error
