"""The whole server with SpiceDB as its engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from authzed.api.v1 import WriteRelationshipsRequest
from pydantic import SecretStr

from managed_sync.server import EmbeddedServer, SpiceDBAddress
from managed_sync.server.graph.engine import PermissionEngineError
from managed_sync.server.graph.spicedb.client import SpiceDBClient
from managed_sync.server.graph.spicedb.engine import SpiceDBEngine
from managed_sync.server.runtime import app
from managed_sync.server.storage.database import Database
from tests.server.company import CONTACTS, FILES, Caller, Company
from tests.support.spicedb import running_spicedb

MARIA = "maria@harbor.example"
CAROL = "carol@harbor.example"

Connect = Callable[..., Caller]


@pytest.fixture
def spicedb(monkeypatch: pytest.MonkeyPatch) -> Iterator[SpiceDBClient]:
    with running_spicedb() as client:

        def open_engine(_address: object, database: Database) -> SpiceDBEngine:
            return SpiceDBEngine(database, client)

        monkeypatch.setattr(app, "open_engine", open_engine)
        yield client


def test_syncs_reach_spicedb_and_it_decides(
    spicedb: SpiceDBClient, company: Company, state: Path, connect: Connect
) -> None:
    with EmbeddedServer(company.folder, state) as server:
        caller = connect(server)
        caller.enable(FILES)
        caller.enable(CONTACTS)
        budget = caller.object_id(FILES, "/Finance/budget.txt")
        contact = caller.object_id(CONTACTS, "c-1")
        assert caller.allowed(CAROL, budget)
        assert not caller.allowed(MARIA, budget)
        assert caller.allowed(MARIA, contact)
        company.replace_in_permissions("sales-emea: [maria@", "sales-emea: [erik@")
        company.replace_in_permissions("viewer: [group:finance]", "viewer: [public]")
        caller.enable(FILES)
        assert not caller.allowed(MARIA, contact)
        assert caller.allowed("somebody@else.example", budget)
        assert caller.allowed(CAROL, budget, "owner")


def test_a_sync_whose_permissions_did_not_arrive_fails_and_nothing_is_answered(
    spicedb: SpiceDBClient,
    company: Company,
    state: Path,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(_request: WriteRelationshipsRequest) -> None:
        raise PermissionEngineError("SpiceDB does not answer.")

    with EmbeddedServer(company.folder, state) as server:
        caller = connect(server)
        caller.enable(FILES)
        budget = caller.object_id(FILES, "/Finance/budget.txt")
        company.replace_in_permissions("owner: [carol@harbor.example], ", "")
        with monkeypatch.context() as broken:
            broken.setattr(spicedb, "write_relationships", unreachable)
            status = caller.enable(FILES)
            assert status["status"] == "ERROR"
            assert "SpiceDB" in status["error"]
            question = {"subject": CAROL, "relation": "owner", "object": budget}
            refused = caller.post("permissions/check-access", question)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
        assert not caller.allowed(CAROL, budget, "owner")


def _delete(caller: Caller, pipeline: dict[str, str]) -> int:
    listed = caller.http.get("/api/syncs").json()["data"]
    (found,) = [one["id"] for one in listed if one["pipeline"] == pipeline["syncType"]]
    return caller.http.delete(f"/api/syncs/{found}").status_code


def test_what_a_deleted_pipeline_granted_is_gone_at_the_next_check_and_its_groups_with_the_last(
    spicedb: SpiceDBClient, company: Company, state: Path, connect: Connect
) -> None:
    with EmbeddedServer(company.folder, state) as server:
        caller = connect(server)
        caller.enable(FILES)
        caller.enable(CONTACTS)
        budget = caller.object_id(FILES, "/Finance/budget.txt")
        contact = caller.object_id(CONTACTS, "c-1")
        assert _delete(caller, FILES) == 204
        assert not caller.allowed(CAROL, budget)
        assert caller.allowed(MARIA, contact)
        assert caller.allowed(MARIA, "group:sales-emea", "member")
        assert _delete(caller, CONTACTS) == 204
        assert not caller.allowed(MARIA, contact)
        assert not caller.allowed(MARIA, "group:sales-emea", "member")


def test_a_deletion_that_did_not_arrive_holds_and_nothing_is_answered_in_either_shape(
    spicedb: SpiceDBClient,
    company: Company,
    state: Path,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(_request: WriteRelationshipsRequest) -> None:
        raise PermissionEngineError("SpiceDB does not answer.")

    with EmbeddedServer(company.folder, state) as server:
        caller = connect(server)
        caller.enable(FILES)
        caller.enable(CONTACTS)
        budget = caller.object_id(FILES, "/Finance/budget.txt")
        contact = caller.object_id(CONTACTS, "c-1")
        (sync,) = [
            one["id"]
            for one in caller.http.get("/api/syncs").json()["data"]
            if one["pipeline"] == "contacts"
        ]
        with monkeypatch.context() as broken:
            broken.setattr(spicedb, "write_relationships", unreachable)
            assert _delete(caller, FILES) == 204
            question = {"subject": CAROL, "relation": "viewer", "object": budget}
            hosted = {"object": contact.removeprefix("contact:"), "user": MARIA, "role": "can_read"}
            for refused in (
                caller.post("permissions/check-access", question),
                caller.http.post(f"/api/permissions/{sync}/check", json=hosted),
            ):
                assert refused.status_code == 503
                assert refused.headers["content-type"] == "application/problem+json"
        assert not caller.allowed(CAROL, budget)
        answer = caller.http.post(f"/api/permissions/{sync}/check", json=hosted)
        assert answer.json() == {"hasAccess": True}


def test_a_server_without_its_spicedb_lives_and_is_not_ready(
    spicedb: SpiceDBClient,
    company: Company,
    state: Path,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreachable(**_options: float) -> None:
        raise PermissionEngineError("SpiceDB does not answer.")

    with EmbeddedServer(company.folder, state) as server:
        caller = connect(server)
        assert caller.http.get("/readyz").status_code == 200
        monkeypatch.setattr(spicedb, "read_schema", unreachable)
        assert caller.http.get("/healthz").status_code == 200
        answer = caller.http.get("/readyz")
        assert answer.status_code == 503
        assert "SpiceDB" in answer.json()["detail"]


def test_without_an_address_the_database_is_the_engine(tmp_path: Path) -> None:
    database = Database(tmp_path / "server.db")
    assert type(app.open_engine(None, database)).__name__ == "SqlEngine"
    address = SpiceDBAddress(target="127.0.0.1:1", token=SecretStr("s3cret"))
    assert "s3cret" not in repr(address)
    engine = app.open_engine(address, database)
    assert isinstance(engine, SpiceDBEngine)
    engine.close()
    database.close()
