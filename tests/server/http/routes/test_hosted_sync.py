from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from managed_sync.server import EmbeddedServer
from tests.server.company import CONTACTS, FILES, Caller, Company

Connect = Callable[..., Caller]
CONTACT_SYNC = {"integration": "salesforce", "pipeline": "contacts"}


class Hosted:
    """Calls a server on the hosted service's paths."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.http = caller.http

    def enable(self, integration: str, pipeline: str, **further: Any) -> dict[str, Any]:
        body = {"integration": integration, "pipeline": pipeline, **further}
        response = self.http.post("/api/syncs", json=body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        self.caller.wait(CONTACTS if pipeline == "contacts" else FILES)
        return answer

    def get(self, path: str, **parameters: str | int) -> dict[str, Any]:
        response = self.http.get(f"/api/syncs/{path}", params=parameters)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def pull(self, sync: str, cursor: str | None = None) -> tuple[list[dict[str, Any]], str]:
        """All that changed since a cursor, and the cursor to keep."""
        found: list[dict[str, Any]] = []
        while True:
            since = {} if cursor is None else {"cursor": cursor}
            page = self.get(f"{sync}/records", pageSize=7, **since)
            found += page["data"]
            cursor = page["paging"]["cursor"]
            if not page["paging"]["remainingRecords"]:
                return found, cursor


@pytest.fixture
def hosted(caller: Caller) -> Hosted:
    return Hosted(caller)


def test_enabling_answers_with_the_sync(hosted: Hosted) -> None:
    answer = hosted.enable("googledrive", "files", configurationName="all")
    assert answer == {
        "id": answer["id"],
        "userId": "acme",
        "integration": "googledrive",
        "pipeline": "files",
        "projectId": "demo",
        "status": "INITIALIZING",
    }
    (listed,) = hosted.http.get("/api/syncs").json()["data"]
    assert (listed["id"], listed["status"]) == (answer["id"], "IDLE")
    assert listed["configurationName"] == "all"
    assert hosted.enable("googledrive", "files")["status"] == "ACTIVE"


def test_both_shapes_of_the_api_show_the_same_data(hosted: Hosted, caller: Caller) -> None:
    sync = hosted.enable("googledrive", "files")["id"]
    records = caller.records(FILES)
    pulled, _ = hosted.pull(sync)
    assert {one["externalId"]: one["id"] for one in pulled} == {
        source_id: record["id"] for source_id, record in records.items()
    }
    handbook = records["/handbook.md"]
    shown = hosted.get(f"{sync}/records/{handbook['id']}")
    assert shown["mimeType"] == handbook["data"]["mimeType"]
    assert shown["externalId"] == "/handbook.md"
    assert shown["updatedAt"][:19] == handbook["updatedAt"][:19]
    content = hosted.http.get(f"/api/syncs/{sync}/records/{handbook['id']}/content")
    assert content.content == b"# Handbook\n\nBe kind.\n"
    status = hosted.get(sync)
    assert status["status"] == "IDLE"
    assert status["summary"]["totalRecords"] == len(records)


def test_the_id_of_a_record_is_not_hidden_by_a_field_of_that_name(hosted: Hosted) -> None:
    sync = hosted.enable("salesforce", "contacts")["id"]
    pulled, _ = hosted.pull(sync)
    assert {one["externalId"] for one in pulled} == {"c-1", "c-2"}
    assert not {one["id"] for one in pulled} & {"c-1", "c-2"}


class TestACursorThatIsKept:
    @pytest.fixture(autouse=True)
    def many(self, company: Company) -> None:
        company.write_lines("contacts", *({"id": f"c-{number:02}"} for number in range(20)))

    def test_gives_only_what_changed_since(self, hosted: Hosted, company: Company) -> None:
        sync = hosted.enable("salesforce", "contacts")["id"]
        pulled, cursor = hosted.pull(sync)
        assert len(pulled) == 20
        assert hosted.pull(sync, cursor) == ([], cursor)
        assert hosted.get(sync)["summary"]["latestCursor"] == cursor
        company.write_lines(
            "contacts",
            *({"id": f"c-{number:02}"} for number in range(19)),
            {"id": "c-03", "firstName": "New"},
            {"id": "a-new"},
        )
        company.write_lines(
            "contacts",
            {"id": "a-new"},
            {"id": "c-00", "firstName": "New"},
            *({"id": f"c-{number:02}"} for number in range(1, 20)),
        )
        hosted.enable("salesforce", "contacts")
        changed, later = hosted.pull(sync, cursor)
        assert [one["externalId"] for one in changed] == ["a-new", "c-00"]
        assert hosted.pull(sync, later)[0] == []

    def test_of_another_sync_or_of_a_deleted_one_is_refused(self, hosted: Hosted) -> None:
        contacts = hosted.enable("salesforce", "contacts")["id"]
        files = hosted.enable("googledrive", "files")["id"]
        _, cursor = hosted.pull(contacts)
        wrong = hosted.http.get(f"/api/syncs/{files}/records", params={"cursor": cursor})
        assert wrong.status_code == 400
        hosted.http.delete(f"/api/syncs/{contacts}")
        assert hosted.enable("salesforce", "contacts")["id"] == contacts
        stale = hosted.http.get(f"/api/syncs/{contacts}/records", params={"cursor": cursor})
        assert stale.status_code == 400
        assert "begin again" in stale.json()["detail"]


class TestStopping:
    def test_a_disabled_sync_keeps_its_records_and_does_not_run(
        self, hosted: Hosted, caller: Caller, company: Company
    ) -> None:
        sync = hosted.enable("salesforce", "contacts")["id"]
        assert hosted.http.post(f"/api/syncs/{sync}/disable").json()["status"] == "DISABLED"
        assert hosted.get(sync)["status"] == "DISABLED"
        assert caller.get("sync/status", **CONTACTS).json()["status"] == "DISABLED"
        assert len(caller.records(CONTACTS)) == 2
        company.write_lines("contacts", {"id": "c-9"})
        hosted.http.post(f"/api/syncs/{sync}/reenable")
        caller.wait(CONTACTS)
        assert set(caller.records(CONTACTS)) == {"c-9"}

    def test_a_deleted_sync_is_gone_with_its_records_and_grants(
        self, hosted: Hosted, caller: Caller
    ) -> None:
        hosted.enable("googledrive", "files")
        sync = hosted.enable("salesforce", "contacts")["id"]
        contact = caller.object_id(CONTACTS, "c-1")
        handbook = caller.object_id(FILES, "/handbook.md")
        assert caller.allowed("maria@harbor.example", contact)
        assert hosted.http.delete(f"/api/syncs/{sync}").status_code == 204
        assert hosted.http.get(f"/api/syncs/{sync}").status_code == 404
        assert not caller.allowed("maria@harbor.example", contact)
        assert caller.get(f"sync/records/{contact.removeprefix('contact:')}").status_code == 404
        assert caller.allowed("maria@harbor.example", handbook)


def test_what_cannot_be_configured_is_refused_not_ignored(hosted: Hosted) -> None:
    body = {**CONTACT_SYNC, "configuration": {"folders": ["/Finance"]}}
    response = hosted.http.post("/api/syncs", json=body)
    assert response.status_code == 400
    assert "'folders'" in response.json()["detail"]
    assert hosted.http.get("/api/syncs").json()["data"] == []
    hosted.enable(**CONTACT_SYNC, configuration={"frequency": "15m"})


def test_an_unknown_pipeline_is_not_found(hosted: Hosted) -> None:
    response = hosted.http.post("/api/syncs", json={"integration": "box", "pipeline": "files"})
    assert response.status_code == 404
    assert "googleDrive/files" in response.json()["detail"]


def test_a_connected_user_reaches_nothing_of_another(
    server: EmbeddedServer, connect: Connect, hosted: Hosted
) -> None:
    sync = hosted.enable("salesforce", "contacts")["id"]
    record = hosted.pull(sync)[0][0]["id"]
    stranger = connect(server, "globex").http
    assert stranger.get("/api/syncs").json()["data"] == []
    calls = [
        ("GET", ""),
        ("GET", "/records"),
        ("GET", f"/records/{record}"),
        ("GET", f"/records/{record}/content"),
        ("POST", "/disable"),
        ("POST", "/reenable"),
        ("DELETE", ""),
    ]
    for method, path in calls:
        assert stranger.request(method, f"/api/syncs/{sync}{path}").status_code == 404
    assert hosted.get(sync)["status"] == "IDLE"


@pytest.mark.parametrize("size", ["0", "-1", "1001", "many"])
def test_a_page_has_between_one_and_a_thousand_records(hosted: Hosted, size: str) -> None:
    sync = hosted.enable("salesforce", "contacts")["id"]
    response = hosted.http.get(f"/api/syncs/{sync}/records", params={"pageSize": size})
    assert response.status_code == 400
    assert "pageSize" in response.json()["detail"]
