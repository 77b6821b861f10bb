"""Waiting for the end of a sync."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from managed_sync.errors import SyncFailedError
from tests.support.clients import ClientOf


def status_body(state: str, **more: Any) -> dict[str, Any]:
    return {"integration": "box", "syncType": "files", "status": state, **more}


def test_it_ends_when_the_pipeline_is_idle_and_reports_on_the_way(client_of: ClientOf) -> None:
    states = iter(["SYNCING", "SYNCING", "IDLE"])
    client = client_of(lambda _: httpx.Response(200, json=status_body(next(states))))
    seen: list[str] = []

    client.wait_until_idle("box", "files", on_progress=lambda s: seen.append(s.status.value))

    assert seen == ["SYNCING", "SYNCING", "IDLE"]


def test_a_failed_sync_raises_with_the_reason(client_of: ClientOf) -> None:
    client = client_of.answering(json=status_body("ERROR", error="permissions.yaml is missing"))

    with pytest.raises(SyncFailedError, match=r"permissions\.yaml is missing"):
        client.wait_until_idle("box", "files")


def test_a_disabled_sync_is_not_waited_for_and_the_error_says_how_to_start_it(
    client_of: ClientOf,
) -> None:
    with pytest.raises(SyncFailedError, match=r"is disabled\. Start it with enable_sync, or"):
        client_of.answering(json=status_body("DISABLED")).wait_until_idle("box", "files")


def test_pauses_grow_to_some_seconds_and_end_with_the_timeout(client_of: ClientOf) -> None:
    client = client_of.answering(json=status_body("SYNCING", recordCount=1234))

    with pytest.raises(SyncFailedError, match=r"1,234 records so far\. It is still running"):
        client.wait_until_idle("box", "files", timeout=60)

    waits = client.clock.waits
    assert sum(waits) == pytest.approx(60)
    assert waits[:3] == pytest.approx([0.2, 0.3, 0.45])
    assert max(waits) == 5
    assert len(waits) < 25


def test_a_sync_that_does_not_end_raises(client_of: ClientOf) -> None:
    with pytest.raises(SyncFailedError, match="not ended"):
        client_of.answering(json=status_body("SYNCING")).wait_until_idle("box", "files", timeout=0)
