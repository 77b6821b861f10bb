"""Ids and names are looked up, and never become paths."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.server.company import FILES, Caller, Company

SECRET = "outside the company"
PATHS = [
    "..",
    "../secret.txt",
    "../../secret.txt",
    "/../secret.txt",
    "files/../../secret.txt",
    "....//secret.txt",
    "%2e%2e%2fsecret.txt",
    "..\\secret.txt",
    "/etc/passwd",
    "file:///etc/passwd",
    "handbook.md",
    "/handbook.md",
    "../state/signing-key.pem",
    "secret.txt\0.md",
    "%00",
]


@pytest.fixture
def synced(caller: Caller, company: Company) -> Caller:
    (company.folder.parent / "secret.txt").write_text(SECRET)
    company.write_lines("../secret", {"id": SECRET})
    caller.enable(FILES)
    return caller


def test_a_path_is_the_id_of_nothing(synced: Caller) -> None:
    (sync, *_) = [one["id"] for one in synced.http.get("/api/syncs").json()["data"]]
    for path in PATHS:
        # Dots too: else the client itself would follow them.
        name = quote(path, safe="").replace(".", "%2E")
        for place in (
            f"/projects/demo/sync/records/{name}",
            f"/projects/demo/sync/records/{name}/content",
            f"/projects/{name}/sync/status?integration=googleDrive&syncType=files",
            f"/api/syncs/{name}",
            f"/api/syncs/{name}/records",
            f"/api/syncs/{sync}/records/{name}",
            f"/api/syncs/{sync}/records/{name}/content",
        ):
            response = synced.http.get(place)
            assert response.status_code in {400, 403, 404}, place
            assert response.headers["content-type"] == "application/problem+json"
            assert SECRET not in response.text
            assert "PRIVATE KEY" not in response.text


def test_a_path_is_the_name_of_no_pipeline(synced: Caller) -> None:
    for path in ["../secret", *PATHS]:
        for pipeline in (
            {**FILES, "syncType": path},
            {**FILES, "integration": path},
        ):
            assert synced.post("sync/enable", pipeline).status_code in {400, 404}
            assert synced.get("sync/records", **pipeline).status_code in {400, 404}
            hosted = {"integration": pipeline["integration"], "pipeline": pipeline["syncType"]}
            assert synced.http.post("/api/syncs", json=hosted).status_code in {400, 404}


def test_nobody_has_a_role_at_a_path(synced: Caller) -> None:
    for path in PATHS:
        question = {"subject": "dan@harbor.example", "relation": "viewer", "object": f"file:{path}"}
        response = synced.post("permissions/check-access", question)
        assert response.status_code == 400 or response.json() == {"allowed": False}
