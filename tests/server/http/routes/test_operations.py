"""Tests health, metrics, request ids and the log of a running server."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from managed_sync.server.runtime.logging import JsonFormatter
from managed_sync.server.storage.database import Database
from tests.server.company import FILES, TICKETS, Caller, Company

Configured = Callable[..., Caller]


def test_health_and_readiness_need_no_token(caller: Caller) -> None:
    del caller.http.headers["authorization"]
    for path in ("/healthz", "/readyz"):
        response = caller.http.get(path)
        assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_a_server_without_its_database_lives_and_is_not_ready(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sqlalchemy.exc import OperationalError

    def fail(_database: Database) -> Any:
        raise OperationalError("SELECT 1", {}, Exception("secret"))

    monkeypatch.setattr(Database, "reading", fail)
    assert caller.http.get("/healthz").status_code == 200
    response = caller.http.get("/readyz")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" not in response.text


def metrics(caller: Caller) -> dict[tuple[str, ...], float]:
    response = caller.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_requests_and_syncs_are_counted_under_bounded_names(
    caller: Caller, company: Company
) -> None:
    caller.enable(FILES)
    company.write_permissions("users: [\n")
    caller.enable(FILES)
    for number in range(20):
        caller.get(f"sync/records/secret-{number}")
        caller.http.get(f"/secret/{number}")
        caller.http.request(f"SECRET{number}", "/healthz")
    found = metrics(caller)
    requests, route = "managed_sync_requests_total", "/projects/{projectId}/sync/records/{recordId}"
    assert found[(requests, *sorted(("GET", route, "404")))] == 20
    assert found[(requests, *sorted(("GET", "none", "404")))] == 20
    assert found["managed_sync_syncs_total", "done"] == 1
    assert found["managed_sync_syncs_total", "failed"] == 1
    assert found[("managed_sync_requests_in_progress",)] == 1
    names = " ".join(part for name in found for part in name)
    assert not re.search("secret|SECRET|acme|demo|maria", names)


def test_every_answer_bears_the_id_of_its_request(harbor_caller: Caller) -> None:
    answers = [
        harbor_caller.get("sync/status", **FILES),
        harbor_caller.get("sync/status", **TICKETS),
        harbor_caller.http.get("/nothing"),
        harbor_caller.http.get("/healthz"),
    ]
    ids = {answer.headers["x-request-id"] for answer in answers}
    assert len(ids) == len(answers)
    given = harbor_caller.http.get("/healthz", headers={"X-Request-Id": "trace-1.a_b:c"})
    assert given.headers["x-request-id"] == "trace-1.a_b:c"


def test_an_unexpected_failure_is_a_problem_with_an_id_and_no_details(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    detail = "a secret"

    def fail(_database: Database) -> Any:
        raise RuntimeError(detail)

    monkeypatch.setattr(Database, "reading", fail)
    with caplog.at_level(logging.INFO):
        response = caller.get("sync/records", **FILES)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    request_id = response.headers["x-request-id"]
    failed = [one for one in caplog.records if "RuntimeError" in one.getMessage()]
    assert [vars(one)["request_id"] for one in failed] == [request_id]
    assert detail not in response.text + caplog.text


def test_the_log_has_a_line_of_json_for_each_request_and_no_secret_in_it(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    formatter = JsonFormatter()
    # The command serve, which other tests run in this process, makes this logger quiet.
    requests_logged = caplog.at_level(logging.INFO, logger="managed_sync.server.requests")
    with caplog.at_level(logging.INFO), requests_logged:
        caller.enable(FILES)
        records = caller.records(FILES)
        caller.get("sync/records", **FILES, cursor="secret-place")
        caller.http.get("/secret%0a%7B%22level%22:%22info%22%7D")
        caller.http.get("/healthz", headers={"Authorization": "Bearer secret-token"})
        assert records
    own = [record for record in caplog.records if record.name != "httpx"]
    lines = [formatter.format(record) for record in own]
    written = [json.loads(line) for line in lines]
    assert not any("\n" in line for line in lines)
    requests = [one for one in written if one["logger"] == "managed_sync.server.requests"]
    assert {"time", "level", "message", "request_id", "status", "milliseconds"} <= set(requests[0])
    assert requests[0]["project"] == "demo"
    assert not any("\n" in one["message"] for one in requests)
    text = "\n".join(lines)
    token = caller.http.headers["authorization"].removeprefix("Bearer ")
    for secret in ("secret-place", "secret-token", token, token.rpartition(".")[2]):
        assert secret not in text


def test_a_file_name_forges_no_line_of_the_servers_log(
    configured: Configured, company: Company
) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    root = logging.getLogger("managed_sync.server")
    root.addHandler(handler)
    forged = "2026-11-28 00:00:00,000 FORGED: access revoked"
    odds = ["\n", "\r", "\x0b", "\x1c", "\x85", "\u2028", "\x1b[2J", "\x9b2J", "\u202e"]
    try:
        for number, odd in enumerate(odds):
            (company.files / f"x{odd}{forged}{number}").symlink_to("/etc/hosts")
        caller = configured()
        assert len(caller.enable(FILES)["warnings"]) == len(odds)
    finally:
        root.removeHandler(handler)
    lines = stream.getvalue().splitlines()
    assert sum("FORGED" in line for line in lines) == len(odds)
    assert not [line for line in lines if line.startswith(forged)]
    assert not re.search("[\x1b\x9b\u202e]", stream.getvalue())
