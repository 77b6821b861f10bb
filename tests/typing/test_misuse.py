"""Misuses of the clients that the type checker refuses, each with the error it gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mypy import api

ROOT = Path(__file__).parents[2]

MISUSES = """
import httpx
from managed_sync import AccessCheck, AsyncManagedSyncClient, ManagedSyncClient

async def ask_later() -> str:
    return "token"

def ask_with(user: str) -> str:
    return user

ManagedSyncClient()  # call-arg
ManagedSyncClient("p1", 7)  # arg-type
ManagedSyncClient("p1", "t", "https://api.test")  # call-arg
ManagedSyncClient("p1", ask_later)  # arg-type
AsyncManagedSyncClient("p1", ask_with)  # arg-type
ManagedSyncClient("p1", "t", api="hosted-by-me")  # arg-type
ManagedSyncClient("p1", "t", http_client=httpx.AsyncClient())  # arg-type
AsyncManagedSyncClient("p1", "t", transport=httpx.HTTPTransport())  # arg-type
ManagedSyncClient.from_env("p1")  # call-arg
ManagedSyncClient.from_env(batch_size=7)  # call-arg
ManagedSyncClient.from_env(retry_budget="5")  # arg-type
ManagedSyncClient.from_env(token=ask_later)  # arg-type
AsyncManagedSyncClient.from_env(http_client=httpx.Client())  # arg-type
client = ManagedSyncClient("p1", "t")
client.batch_check_access([("alice", "viewer", "file:1")])  # list-item
client.download_content("r1", 10)  # call-arg
client.retry_count = 3  # misc
for part in client.stream_content("r1"):  # attr-defined
    pass

async def use(client: AsyncManagedSyncClient, checks: list[AccessCheck]) -> None:
    allowed: bool = client.check_access("alice", "viewer", "file:1")  # assignment
    decisions: list[bool] = client.batch_check_access(checks)  # assignment
    for record in client.iter_records("box", "files"):  # attr-defined
        pass
    with client.stream_content("r1") as content:  # attr-defined
        pass
"""

EXPECTED = {
    number: line.partition("  # ")[2]
    for number, line in enumerate(MISUSES.splitlines(), start=1)
    if "  # " in line
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[int, set[str]]:
    """The kinds of errors by line."""
    file = tmp_path_factory.mktemp("misuse") / "misuse.py"
    file.write_text(MISUSES, encoding="utf-8")
    # The cache of the ordinary run, so that only the first one takes long.
    report, problems, _ = api.run(
        [
            "--config-file",
            str(ROOT / "pyproject.toml"),
            "--cache-dir",
            str(ROOT / ".mypy_cache"),
            str(file),
        ]
    )
    assert not problems
    errors: dict[int, set[str]] = {}
    for number, kind in re.findall(r"misuse\.py:(\d+): error: .*\[([a-z-]+)\]$", report, re.M):
        errors.setdefault(int(number), set()).add(kind)
    return errors


@pytest.mark.parametrize("line", EXPECTED, ids=lambda line: MISUSES.splitlines()[line - 1].strip())
def test_a_misuse_is_refused(found: dict[int, set[str]], line: int) -> None:
    assert EXPECTED[line] in found.get(line, set())


def test_nothing_else_is(found: dict[int, set[str]]) -> None:
    assert set(found) == set(EXPECTED)
