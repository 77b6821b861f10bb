"""The fake permission service of the tests, asked directly or through a real client.

``CheckingService`` decides by a rule and has no lists, like a client without ``list_objects``.
``FakePermissionService`` decides by grants, which a test changes at will, and lists them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeAlias

import httpx

from managed_sync import AccessCheck, ManagedSyncClient

TOKEN = "a-token-that-nobody-may-see"
# Decides whether a subject may read an object.
Rule: TypeAlias = Callable[[str, str], bool]


def everything(subject: str, object_id: str) -> bool:
    """Lets everybody read every object."""
    return True


def nothing(subject: str, object_id: str) -> bool:
    """Lets nobody read anything."""
    return False


def number_of(name: str) -> int:
    """Returns the number in ``file:7`` or in ``user7@x.example``."""
    return int("".join(character for character in name if character.isdigit()))


def own_numbers(modulo: int) -> Rule:
    """Returns a rule by which user ``n`` may read objects whose number is ``n`` modulo a number."""
    return lambda subject, object_id: number_of(object_id) % modulo == number_of(subject)


def even_and_odd(even: str, odd: str) -> Rule:
    """Returns a rule by which one user may read even objects, one odd ones, and others nothing."""
    rests = {even: 0, odd: 1}
    return lambda subject, object_id: rests.get(subject) == number_of(object_id) % 2


class CheckingService:
    """A permission service that decides by a rule, and cannot list.

    Attributes:
        may_read: The rule.
        error: What every request raises, if it is set.
        fails_at: The number of the request that raises ``TimeoutError``; ``failed`` is its method.
        requests: The methods that were called.
        asked_for: The subjects of each request.
        checked: The objects that were checked, in order; ``batches`` has them by request.
        before: Called before each request is answered, with the name of its method.
        after: Called after each request is answered, with the name of its method.
    """

    def __init__(
        self,
        may_read: Rule = everything,
        *,
        error: Exception | None = None,
        project_id: str | None = None,
    ) -> None:
        self.may_read = may_read
        self.error = error
        self.fails_at = 0
        self.failed = ""
        self.requests: list[str] = []
        self.asked_for: list[str] = []
        self.batches: list[list[str]] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None
        if project_id is not None:
            self.project_id = project_id

    @property
    def checked(self) -> list[str]:
        return [object_id for batch in self.batches for object_id in batch]

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        self._begin("batch_check_access", {check.subject for check in checks})
        self.batches.append([check.object for check in checks])
        answer = [self.may_read(check.subject, check.object) for check in checks]
        self.after("batch_check_access")
        return answer

    def _begin(self, method: str, subjects: set[str]) -> None:
        self.requests.append(method)
        self.asked_for += sorted(subjects)
        self.before(method)
        if len(self.requests) == self.fails_at:
            self.failed = method
            raise TimeoutError
        if self.error is not None:
            raise self.error


class FakePermissionService(CheckingService):
    """A permission service that decides by the grants there are when it is asked.

    Args:
        for_everybody: Objects that every user may read.
        list_cap: How many objects a list has at most.
        fails_at: The number of the request that raises ``TimeoutError``.
        project_id: The project of the service, if it names one.
        readable_by: The objects that a user may read, by the name before ``@x.example``.

    Attributes:
        grants: The objects of each user.
        everybody: The objects that every user may read.
        listed: How many object ids were listed.
    """

    def __init__(
        self,
        *for_everybody: str,
        list_cap: int | None = None,
        fails_at: int = 0,
        project_id: str | None = None,
        **readable_by: Iterable[str],
    ) -> None:
        super().__init__(
            lambda subject, object_id: object_id in self.readable(subject), project_id=project_id
        )
        self.everybody = set(for_everybody)
        self.grants = {f"{user}@x.example": set(ids) for user, ids in readable_by.items()}
        self.list_cap = list_cap
        self.fails_at = fails_at
        self.listed = 0

    def readable(self, subject: str) -> set[str]:
        return self.everybody | self.grants.get(subject, set())

    def list_objects(
        self, subject: str, relation: str, object_type: str | None = None
    ) -> list[str]:
        self._begin("list_objects", {subject})
        # What a cut list has is not what a search would find first.
        answer = sorted(self.readable(subject), reverse=True)[: self.list_cap]
        self.listed += len(answer)
        self.after("list_objects")
        return answer


async def _next_turn() -> None:
    await asyncio.sleep(0)


class AsyncPermissionService:
    """A permission service whose methods are awaited; ``pause`` is awaited before each answer."""

    def __init__(
        self,
        service: CheckingService,
        *,
        pause: Callable[[], Awaitable[None]] = _next_turn,
    ) -> None:
        self.service = service
        self._pause = pause

    async def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        await self._pause()
        return self.service.batch_check_access(checks)

    async def list_objects(self, subject: str, relation: str) -> list[str]:
        await self._pause()
        if not isinstance(self.service, FakePermissionService):
            raise NotImplementedError("this service has no lists")
        return self.service.list_objects(subject, relation)


Answer = Callable[[httpx.Response], httpx.Response]


def http_client(
    service: FakePermissionService, *, checks: Answer | None = None, lists: Answer | None = None
) -> ManagedSyncClient:
    """A real client of a service, whose answers are replaced by ``checks`` and ``lists``."""

    def handle(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.url.path.endswith("/batch-check-access"):
            asked = [AccessCheck.model_validate(check) for check in body["checks"]]
            allowed = service.batch_check_access(asked)
            honest = httpx.Response(200, json={"results": [{"allowed": each} for each in allowed]})
            return checks(honest) if checks else honest
        listed = service.list_objects(body["subject"], body["relation"])
        honest = httpx.Response(200, json={"objects": listed})
        return lists(honest) if lists else honest

    return ManagedSyncClient(
        project_id="p1",
        token=TOKEN,
        base_url="http://service.example",
        transport=httpx.MockTransport(handle),
        retry_budget=0,
    )
