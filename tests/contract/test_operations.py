"""Each row of the table, with both clients."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from managed_sync.errors import (
    AccessCheckError,
    ApiStatusError,
    AuthenticationError,
    BadRequestError,
    ForbiddenError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from tests.contract.cases import AT_ONCE, CASES, Case, Exchange
from tests.support.clients import BASE_URL, TOKEN, ClientOf, Driven

OPERATIONS = {
    "enable_sync",
    "get_sync_status",
    "list_records",
    "iter_changes",
    "get_record",
    "download_content",
    "check_access",
    "batch_check_access",
    "list_users",
    "list_objects",
    "expand",
}
ERRORS: dict[int, type[ApiStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    422: BadRequestError,
    429: RateLimitError,
    500: ServerError,
    503: ServerError,
}


class Script:
    """Answers the exchanges of a case, and holds the requests to them."""

    def __init__(self, case: Case) -> None:
        self.waiting = list(case.exchanges)
        self.any_order = case in AT_ONCE

    def __call__(self, request: httpx.Request) -> httpx.Response:
        sent = described(request)
        expected = [expectation(each) for each in self.waiting]
        assert sent in (expected if self.any_order else expected[:1])
        exchange = self.waiting.pop(expected.index(sent))
        answer = exchange.answer
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        return httpx.Response(
            exchange.status, content=body, headers={"Content-Type": exchange.content_type}
        )


def described(request: httpx.Request) -> dict[str, Any]:
    headers = request.headers
    return {
        "method": request.method,
        "path": str(request.url.copy_with(query=None)),
        "query": dict(request.url.params),
        "body": json.loads(request.content) if request.content else None,
        "authorization": headers["Authorization"],
        "content-type": headers.get("Content-Type"),
    }


def expectation(exchange: Exchange) -> dict[str, Any]:
    return {
        "method": exchange.method,
        "path": f"{BASE_URL}{exchange.path}",
        "query": exchange.query,
        "body": exchange.body,
        "authorization": f"Bearer {TOKEN}",
        "content-type": None if exchange.body is None else "application/json",
    }


def call(client_of: ClientOf, case: Case, **arguments: Any) -> Any:
    script = Script(case)
    result = carried_out(client_of(script, api=case.api, **arguments), case)
    assert not script.waiting
    return result


def carried_out(client: Driven, case: Case) -> Any:
    method, *values = case.call
    result = getattr(client, method)(*values)
    return list(result) if isinstance(result, Iterator) else result


def test_the_table_has_every_operation_in_both_formats() -> None:
    for api in ("projects", "hosted"):
        assert {case.call[0] for case in CASES + AT_ONCE if case.api == api} == OPERATIONS


@pytest.mark.parametrize("case", CASES + AT_ONCE, ids=str)
def test_an_operation_sends_and_returns_what_the_reference_says(
    client_of: ClientOf, case: Case
) -> None:
    assert call(client_of, case) == case.returns


@pytest.mark.sampled(5)
@pytest.mark.parametrize("status", ERRORS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_error_status_is_an_error_of_its_kind(
    client_of: ClientOf, case: Case, status: int
) -> None:
    refused = replace(
        case.exchanges[-1], status=status, answer={"message": "not so"}, content_type="text/json"
    )
    # After a 404 the format may look its pipeline up again.
    lookups = [each for each in case.exchanges if each.path == "/api/syncs" and each.body is None]
    failing = replace(case, exchanges=[*case.exchanges[:-1], refused, *lookups])
    script = Script(failing)
    client = client_of(script, api=case.api, retry_budget=0)

    with pytest.raises((ApiStatusError, AccessCheckError), match="not so") as caught:
        carried_out(client, case)

    error = caught.value
    if case.call[0] == "batch_check_access":
        assert isinstance(error, AccessCheckError)
        assert error.undecided == tuple(check.object for check in case.call[1])
        error = error.__cause__  # type: ignore[assignment]
    assert isinstance(error, ERRORS[status])
    assert error.status == status
