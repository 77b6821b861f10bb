from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from managed_sync.models import RecordPage, SyncedRecord, SyncStatus
from managed_sync.server import EmbeddedServer
from tests.server.company import CONTACTS, FILES, TICKETS, Caller, Company

Connect = Callable[..., Caller]

SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CONTENTS = {
    "plain.txt": (b"text", "text/plain"),
    "empty.pdf": (b"", "application/pdf"),
    "Budget 2026 (final).xlsx": (b"PK\x03\x04", SHEET),
    "Größe/計画 ✓.md": ("# 計画".encode(), "text/markdown"),
    "mail.eml": (b"Subject: x\n\ny", "message/rfc822"),
    "data.tar.gz": (b"\x1f\x8b", "application/gzip"),
    "no ending": (b"\x00\xff", "application/octet-stream"),
    'odd "name" %41;\n.txt': (b"x", "text/plain"),
}


def _problem(response: Any, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status
    detail = problem["detail"]
    assert isinstance(detail, str)
    return detail


def test_enabling_answers_201_with_a_sync_under_way(caller: Caller) -> None:
    response = caller.post("sync/enable", {**FILES, "frequency": "15m"})
    assert response.status_code == 201
    assert response.json() == {
        "integration": "googleDrive",
        "syncType": "files",
        "status": "SYNCING",
        "recordCount": response.json()["recordCount"],
        "warnings": [],
    }


def test_the_status_after_a_sync(caller: Caller) -> None:
    status = SyncStatus.model_validate(caller.enable(FILES))
    assert (status.status, status.record_count, status.error) == ("IDLE", 6, None)
    assert status.last_synced_at is not None
    assert status.last_synced_at.tzinfo is not None


def test_a_pipeline_that_is_not_enabled_is_disabled(caller: Caller) -> None:
    assert caller.get("sync/status", **FILES).json()["status"] == "DISABLED"
    assert "enable it" in _problem(caller.get("sync/records", **FILES), 404)


def test_an_unknown_pipeline_is_not_found_and_the_existing_ones_are_named(
    harbor_caller: Caller,
) -> None:
    for detail in (
        _problem(harbor_caller.post("sync/enable", TICKETS), 404),
        _problem(harbor_caller.get("sync/status", **TICKETS), 404),
        _problem(harbor_caller.get("sync/records", **TICKETS), 404),
    ):
        assert "zendesk/tickets" in detail
        assert "googleDrive/files, salesforce/contacts" in detail


@pytest.mark.parametrize("frequency", ["often", "0m", "15", "1w", "-1m", "1m ", ""])
def test_a_frequency_of_another_form_is_refused(
    harbor_server: EmbeddedServer, connect: Connect, frequency: str
) -> None:
    caller = connect(harbor_server, "one who enables nothing")
    detail = _problem(caller.post("sync/enable", {**FILES, "frequency": frequency}), 400)
    assert "1m, 15m, 1h or 1d" in detail
    assert caller.get("sync/status", **FILES).json()["status"] == "DISABLED"


@pytest.mark.parametrize(
    "body", [{}, {"integration": "googleDrive"}, {"integration": 1, "syncType": "files"}, [], "x"]
)
def test_a_malformed_body_is_a_bad_request(harbor_caller: Caller, body: object) -> None:
    assert "body" in _problem(harbor_caller.post("sync/enable", body), 400)


def test_a_missing_parameter_is_named(harbor_caller: Caller) -> None:
    assert "syncType" in _problem(harbor_caller.get("sync/status", integration="googleDrive"), 400)


def test_unknown_paths_and_methods_are_problems_too(harbor_caller: Caller) -> None:
    _problem(harbor_caller.get("sync/nothing"), 404)
    _problem(harbor_caller.get("sync/enable"), 405)
    _problem(harbor_caller.http.get("/docs"), 404)


def test_a_file_record_has_the_normalized_fields(caller: Caller, company: Company) -> None:
    caller.enable(FILES)
    records = caller.records(FILES)
    record = records["/Finance/Payroll/2026.csv"]
    stat = (company.files / "Finance/Payroll/2026.csv").stat()
    assert record["data"] == {
        "name": "2026.csv",
        "path": "/Finance/Payroll/2026.csv",
        "mimeType": "text/csv",
        "size": stat.st_size,
        "digest": "b6118ad7169e66ad2d595bfa68b7abcfd80cc7e6411fe61f6dec43da83b07e5f",
        "parentId": records["/Finance/Payroll"]["id"],
        "createdAt": record["data"]["createdAt"],
        "url": "https://drive.harbor.example/Finance/Payroll/2026.csv",
    }
    assert record["permissions"] == {"editor": ["dan@harbor.example"]}
    updated_at = SyncedRecord.model_validate(record).updated_at
    assert updated_at is not None
    assert updated_at.timestamp() == pytest.approx(stat.st_mtime, abs=0.001)


def test_folders_are_records_and_the_root_has_no_parent(harbor_caller: Caller) -> None:
    records = harbor_caller.records(FILES)
    root, finance = records["/"], records["/Finance"]
    assert "parentId" not in root["data"]
    assert finance["data"]["parentId"] == root["id"]
    assert finance["data"]["mimeType"] == "inode/directory"
    assert not {"size", "digest"} & finance["data"].keys()
    assert finance["permissions"] == {
        "inherit": False,
        "owner": ["carol@harbor.example"],
        "viewer": ["group:finance"],
    }


def test_a_line_becomes_a_record_with_its_own_fields(harbor_caller: Caller) -> None:
    record = harbor_caller.records(CONTACTS)["c-1"]
    parent = record["data"].pop("parentId")
    assert record["data"] == {
        "id": "c-1",
        "firstName": "Ann",
        "phone": None,
        "updatedAt": "2026-03-01T10:00:00Z",
    }
    assert record["updatedAt"] == "2026-03-01T10:00:00Z"
    assert parent not in {other["id"] for other in harbor_caller.records(CONTACTS).values()}
    assert harbor_caller.allowed("maria@harbor.example", f"folder:{parent}")


def test_a_record_by_its_id(harbor_caller: Caller) -> None:
    listed = harbor_caller.records(FILES)["/handbook.md"]
    assert harbor_caller.get(f"sync/records/{listed['id']}").json() == listed
    assert "nothing-here" in _problem(harbor_caller.get("sync/records/nothing-here"), 404)


class TestPages:
    @pytest.fixture(autouse=True)
    def many(self, company: Company) -> None:
        company.write_lines("contacts", *({"id": f"c-{number:04}"} for number in range(250)))

    def test_a_page_has_a_hundred_records_and_the_last_one_no_cursor(self, caller: Caller) -> None:
        caller.enable(CONTACTS)
        sizes = []
        cursor: dict[str, str] = {}
        while True:
            response = caller.get("sync/records", **CONTACTS, **cursor)
            page = RecordPage.model_validate(response.json())
            sizes.append(len(page.records))
            if page.next_cursor is None:
                assert "nextCursor" not in response.json()
                break
            cursor = {"cursor": page.next_cursor}
        assert sizes == [100, 100, 50]
        assert len(caller.records(CONTACTS)) == 250

    def test_what_stays_is_listed_once_while_records_come_and_go(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(CONTACTS)
        first = caller.get("sync/records", **CONTACTS).json()
        staying = [f"c-{number:04}" for number in range(0, 250, 2)]
        company.write_lines(
            "contacts", {"id": "a-new"}, *({"id": name} for name in staying), {"id": "d-new"}
        )
        caller.enable(CONTACTS)
        listed = [record["sourceId"] for record in first["records"]]
        page = first
        while cursor := page.get("nextCursor"):
            page = caller.get("sync/records", **CONTACTS, cursor=cursor).json()
            listed += [record["sourceId"] for record in page["records"]]
        assert sorted(set(listed)) == sorted(listed)
        assert set(staying) <= set(listed)
        assert "d-new" in listed

    def test_a_cursor_of_another_listing_is_refused(self, caller: Caller) -> None:
        caller.enable(CONTACTS)
        caller.enable(FILES)
        cursor = caller.get("sync/records", **CONTACTS).json()["nextCursor"]
        _problem(caller.get("sync/records", **FILES, cursor=cursor), 400)


@pytest.mark.parametrize("cursor", ["", "x", "bm9uc2Vuc2U", "%%%", "é", "W10", "ImEi"])
def test_a_cursor_that_was_not_given_is_refused(harbor_caller: Caller, cursor: str) -> None:
    response = harbor_caller.get("sync/records", **CONTACTS, cursor=cursor)
    assert "cursor" in _problem(response, 400)


class TestContent:
    def _content(self, caller: Caller, source_id: str) -> Any:
        identifier = caller.records(FILES)[source_id]["id"]
        return caller.get(f"sync/records/{identifier}/content")

    def test_files_come_with_their_bytes_types_and_names(
        self, caller: Caller, company: Company
    ) -> None:
        for path, (content, _) in CONTENTS.items():
            company.write_file(path, content)
        assert caller.enable(FILES)["warnings"] == []
        for path, (content, content_type) in CONTENTS.items():
            response = self._content(caller, f"/{path}")
            assert response.status_code == 200
            assert response.content == content
            assert response.headers["content-type"] == content_type
            assert response.headers["content-length"] == str(len(content))
            plain, _, encoded = response.headers["content-disposition"].partition("; filename*=")
            assert re.fullmatch(r'attachment; filename="[^"\\]+"', plain)
            assert unquote(encoded.removeprefix("UTF-8''")) == Path(path).name

    def test_a_file_of_50_megabytes(self, caller: Caller, company: Company) -> None:
        content = bytes(range(256)) * (50 * 4096)
        company.write_file("big.bin", content)
        caller.enable(FILES)
        assert self._content(caller, "/big.bin").content == content

    def test_only_files_have_content(self, caller: Caller) -> None:
        caller.enable(FILES)
        caller.enable(CONTACTS)
        assert "folder" in _problem(self._content(caller, "/Finance"), 404)
        contact = caller.records(CONTACTS)["c-1"]["id"]
        assert "contacts" in _problem(caller.get(f"sync/records/{contact}/content"), 404)
        _problem(caller.get("sync/records/nothing/content"), 404)

    def test_a_file_that_vanished_since_is_not_found(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        (company.files / "handbook.md").unlink()
        assert "/handbook.md" in _problem(self._content(caller, "/handbook.md"), 404)

    def test_a_file_replaced_by_a_link_to_the_outside_is_not_found(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        handbook = company.files / "handbook.md"
        handbook.unlink()
        handbook.symlink_to(company.folder / "permissions.yaml")
        _problem(self._content(caller, "/handbook.md"), 404)

    def test_a_folder_replaced_by_a_link_to_the_outside_is_not_followed(
        self, caller: Caller, company: Company, tmp_path: Path
    ) -> None:
        caller.enable(FILES)
        (company.files / "Finance").rename(tmp_path / "moved")
        (company.files / "Finance").symlink_to(tmp_path / "moved")
        _problem(self._content(caller, "/Finance/budget.txt"), 404)


@pytest.mark.parametrize(
    "identifier", ["..%2F..%2Fpermissions.yaml", "%2Fetc%2Fpasswd", "..", "%00", "%ff"]
)
def test_a_path_is_not_an_id(harbor_caller: Caller, identifier: str) -> None:
    assert harbor_caller.get(f"sync/records/{identifier}/content").status_code == 404


def test_another_connected_user_reaches_nothing(
    server: EmbeddedServer, connect: Connect, caller: Caller
) -> None:
    caller.enable(FILES)
    mine = caller.records(FILES)["/handbook.md"]
    stranger = connect(server, "globex")
    assert stranger.get("sync/status", **FILES).json()["status"] == "DISABLED"
    assert stranger.get("sync/records", **FILES).status_code == 404
    assert stranger.get(f"sync/records/{mine['id']}").status_code == 404
    assert stranger.get(f"sync/records/{mine['id']}/content").status_code == 404
    stranger.enable(FILES)
    theirs = stranger.records(FILES)["/handbook.md"]
    assert theirs["id"] != mine["id"]
    assert stranger.get(f"sync/records/{mine['id']}").status_code == 404


def test_another_project_on_the_same_state_reaches_nothing(
    company: Company, state: Path, connect: Connect
) -> None:
    with EmbeddedServer(company.folder, state, project_id="one") as server:
        one = connect(server)
        one.enable(FILES)
        mine = one.records(FILES)["/handbook.md"]["id"]
        assert one.allowed("maria@harbor.example", f"file:{mine}")
    with EmbeddedServer(company.folder, state, project_id="two") as server:
        two = connect(server)
        assert two.get(f"sync/records/{mine}").status_code == 404
        two.enable(FILES)
        assert two.get(f"sync/records/{mine}").status_code == 404
        assert not two.allowed("maria@harbor.example", f"file:{mine}")
