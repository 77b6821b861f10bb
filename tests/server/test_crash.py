"""A server that is killed in the middle of a sync, without a chance to tidy up."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from managed_sync.server.auth.signing_key import load_or_create_signing_key
from managed_sync.server.auth.tokens import sign_token
from tests.server.company import CONTACTS, Caller, Company
from tests.support.draws import draws

PROGRAM = Path(sys.executable).parent / "managed-sync"
PEOPLE = ["maria@harbor.example", "carol@harbor.example"]
CONTACT_COUNT = 600


class Harbor:
    """A company at successive revisions: every contact bears it, and it decides who may read."""

    def __init__(self, company: Company, state: Path, database: str | None) -> None:
        self.company = company
        self.key = load_or_create_signing_key(state)
        self.config = company.folder.parent / "server.yaml"
        self.config.write_text(
            f"state: {state}\nport: 0\nlog: text\n"
            f"projects: {{demo: {{folder: {company.folder}, keys: {state}}}}}\n"
            + (f"database: {database}\n" if database else "")
        )

    def write(self, revision: int) -> None:
        reader = PEOPLE[revision % 2]
        self.company.write_permissions(
            f"users: [{', '.join(PEOPLE)}]\ncontacts: {{/: {{viewer: [{reader}]}}}}\n"
            "integrations: {contacts: salesforce}\n"
        )
        rows = ({"id": f"c-{one}", "revision": revision} for one in range(CONTACT_COUNT))
        self.company.write_lines("contacts", *rows)

    @contextmanager
    def running(self) -> Iterator[tuple[subprocess.Popen[bytes], Caller]]:
        # Into a file, for a pipe that nobody empties would stop the server.
        log = self.config.with_suffix(".log")
        with (
            log.open("wb") as output,
            subprocess.Popen([PROGRAM, "serve", "--config", self.config], stderr=output) as process,
        ):
            try:
                bearer = sign_token(self.key, project_id="demo", user_id="acme", seconds=600)
                with httpx.Client(
                    base_url=_address(log),
                    headers={"Authorization": f"Bearer {bearer}"},
                    trust_env=False,
                    timeout=30,
                ) as http:
                    yield process, Caller(http, "demo")
            finally:
                process.kill()


def _address(log: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := re.search(r"Serving demo at (\S+)\n", log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signal")
def test_after_a_kill_no_record_is_half_written_and_the_graph_agrees(
    company: Company, state: Path, request: pytest.FixtureRequest, database: str
) -> None:
    draw = random.Random(7)
    url = request.getfixturevalue("postgres")() if database == "postgresql" else None
    harbor = Harbor(company, state, url)
    harbor.write(0)
    with ExitStack() as running:
        process, caller = running.enter_context(harbor.running())
        caller.enable(CONTACTS)
        for revision in range(1, 1 + draws(1)):
            harbor.write(revision)
            caller.post("sync/enable", CONTACTS)
            time.sleep(draw.uniform(0, 0.12))
            process.send_signal(signal.SIGKILL)
            process.wait()
            running.close()
            # What the crash left, before anybody syncs again: one revision, whole, and its reader.
            (company.folder / "contacts.jsonl").rename(company.folder / "away")
            process, caller = running.enter_context(harbor.running())
            caller.wait(CONTACTS)
            _require_one_whole_revision(caller, {revision - 1, revision})
            (company.folder / "away").rename(company.folder / "contacts.jsonl")
            caller.enable(CONTACTS)
            shown = caller.records(CONTACTS)
            assert {one["data"]["revision"] for one in shown.values()} == {revision}


def _require_one_whole_revision(caller: Caller, possible: set[int]) -> None:
    records = caller.records(CONTACTS)
    revisions = {record["data"]["revision"] for record in records.values()}
    assert len(records) == CONTACT_COUNT
    assert len(revisions) == 1
    seen = revisions.pop()
    assert seen in possible
    objects = [f"contact:{record['id']}" for record in records.values()][:500]
    for number, person in enumerate(PEOPLE):
        checks = [{"subject": person, "relation": "viewer", "object": one} for one in objects]
        answer = caller.post("permissions/batch-check-access", {"checks": checks})
        allowed = {result["allowed"] for result in answer.json()["results"]}
        assert allowed == {number == seen % 2}
