"""A fake permission service, asked directly or through a real client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

import httpx

from managed_sync import AccessCheck, ManagedSyncClient

TOKEN = "a-token-that-nobody-may-see"


class FakePermissionService:
    """A permission service in memory that answers by the grants there are when it is asked.

    ``before`` and ``after`` are called around each request, with the name of the client's method.
    """

    def __init__(self, **readable_by: Iterable[str]) -> None:
        self.grants = {f"{user}@x.example": set(ids) for user, ids in readable_by.items()}
        self.requests: list[str] = []
        self.asked_for: list[str] = []
        self.checked: list[str] = []
        self.before: Callable[[str], None] = lambda _: None
        self.after: Callable[[str], None] = lambda _: None

    def may_read(self, subject: str) -> set[str]:
        return self.grants.get(subject, set())

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        self._begin("batch_check_access", {check.subject for check in checks})
        self.checked += [check.object for check in checks]
        answer = [check.object in self.may_read(check.subject) for check in checks]
        self.after("batch_check_access")
        return answer

    def list_objects(self, subject: str, relation: str) -> list[str]:
        self._begin("list_objects", {subject})
        answer = sorted(self.may_read(subject))
        self.after("list_objects")
        return answer

    def _begin(self, method: str, subjects: set[str]) -> None:
        self.requests.append(method)
        self.asked_for += sorted(subjects)
        self.before(method)


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
