"""A company folder and a connection to its server, for the tests of the embedded server."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

FILES = {"integration": "googleDrive", "syncType": "files"}
CONTACTS = {"integration": "salesforce", "syncType": "contacts"}
DEALS = {"integration": "salesforce", "syncType": "deals"}
TICKETS = {"integration": "zendesk", "syncType": "tickets"}

PERMISSIONS = """\
organization: Harbor Robotics
url_prefix: https://drive.harbor.example
users: [maria@harbor.example, carol@harbor.example, dan@harbor.example, erik@harbor.example]
groups:
  sales: [group:sales-emea]
  sales-emea: [maria@harbor.example]
  finance: [carol@harbor.example]
files:
  /: {viewer: [organization]}
  /Finance: {inherit: false, owner: [carol@harbor.example], viewer: [group:finance]}
  /Finance/Payroll/2026.csv: {editor: [dan@harbor.example]}
contacts:
  /: {viewer: [group:sales]}
  /c-2: {inherit: false, owner: [erik@harbor.example]}
"""


class Company:
    """A company folder that a test may change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "files"
        self.files.mkdir(parents=True)

    def write_permissions(self, text: str) -> None:
        (self.folder / "permissions.yaml").write_text(text, encoding="utf-8")

    def replace_in_permissions(self, old: str, new: str) -> None:
        text = (self.folder / "permissions.yaml").read_text(encoding="utf-8")
        assert old in text
        self.write_permissions(text.replace(old, new))

    def write_file(self, path: str, content: bytes | str = b"text") -> Path:
        target = self.files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def write_lines(self, name: str, *rows: dict[str, Any] | str) -> None:
        lines = (row if isinstance(row, str) else json.dumps(row) for row in rows)
        (self.folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def harbor(folder: Path) -> Company:
    """The company that most tests use."""
    company = Company(folder)
    company.write_permissions(PERMISSIONS)
    company.write_file("handbook.md", "# Handbook\n\nBe kind.\n")
    company.write_file("Finance/budget.txt", "The budget is 10.")
    company.write_file("Finance/Payroll/2026.csv", "name,pay\nDan,10\n")
    company.write_lines(
        "contacts",
        {"id": "c-1", "firstName": "Ann", "phone": None, "updatedAt": "2026-03-01T10:00:00Z"},
        {"id": "c-2", "firstName": "Bob", "customFields": {"tier": "gold"}},
    )
    return company


@dataclass
class Caller:
    """Calls a server as one connected user, and expects problems to be problem documents."""

    http: httpx.Client
    project: str

    def get(self, path: str, **parameters: str) -> httpx.Response:
        return self.http.get(f"/projects/{self.project}/{path}", params=parameters)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.http.post(f"/projects/{self.project}/{path}", json=body)

    def enable(self, pipeline: dict[str, str], **further: str) -> dict[str, Any]:
        response = self.post("sync/enable", {**pipeline, **further})
        assert response.status_code == 201, response.text
        return self.wait(pipeline)

    def wait(self, pipeline: dict[str, str]) -> dict[str, Any]:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            status: dict[str, Any] = self.get("sync/status", **pipeline).json()
            if status["status"] != "SYNCING":
                return status
            time.sleep(0.03)
        raise AssertionError("the sync does not end")

    def records(self, pipeline: dict[str, str]) -> dict[str, dict[str, Any]]:
        """All records of a pipeline, by source id."""
        found: dict[str, dict[str, Any]] = {}
        cursor: dict[str, str] = {}
        while True:
            page = self.get("sync/records", **pipeline, **cursor).json()
            for record in page["records"]:
                assert record["sourceId"] not in found
                found[record["sourceId"]] = record
            if "nextCursor" not in page:
                return found
            cursor = {"cursor": page["nextCursor"]}

    def object_id(self, pipeline: dict[str, str], source_id: str) -> str:
        return self._object_id(pipeline, self.records(pipeline)[source_id])

    def object_ids(self, pipeline: dict[str, str]) -> list[str]:
        """The object ids of all records of a pipeline."""
        return [self._object_id(pipeline, record) for record in self.records(pipeline).values()]

    @staticmethod
    def _object_id(pipeline: dict[str, str], record: dict[str, Any]) -> str:
        if record["data"].get("mimeType") == "inode/directory":
            return f"folder:{record['id']}"
        return f"{pipeline['syncType'].removesuffix('s')}:{record['id']}"

    def allowed(self, subject: str, object_id: str, relation: str = "viewer") -> bool:
        response = self.post(
            "permissions/check-access",
            {"subject": subject, "relation": relation, "object": object_id},
        )
        assert response.status_code == 200, response.text
        answer = response.json()["allowed"]
        assert isinstance(answer, bool)
        return answer


def token(key: str, *, project: str = "demo", user: str = "acme", **changes: Any) -> str:
    """A token as a customer's backend signs it; ``None`` leaves a claim out."""
    now = int(time.time())
    claims = {
        "sub": user,
        "aud": f"useparagon.com/{project}",
        "iat": now,
        "exp": now + 600,
        **changes,
    }
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        private_key(key),
        algorithm="RS256",
    )


@cache
def private_key(pem: str) -> RSAPrivateKey:
    """The key itself; reading it takes longer than most tests."""
    key = load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key
