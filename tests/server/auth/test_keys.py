"""Keys per project: rotated while the server runs, and good for nothing but their project."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from managed_sync.errors import ConfigurationError
from managed_sync.server import Server, ServerConfig
from managed_sync.server.auth import keys as key_ring
from managed_sync.server.auth.keys import KeyRing
from managed_sync.server.auth.signing_key import load_or_create_signing_key
from tests.server.company import FILES, Company, private_key, token


@pytest.fixture(autouse=True)
def looked_at_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_ring, "_LOOK_SECONDS", 0)


def public_pem(pem: str) -> str:
    return (
        private_key(pem)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


@cache
def _other_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def keys_in(folder: Path, **pems: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, pem in pems.items():
        (folder / f"{name}.pem").write_text(pem)
    return folder


@pytest.fixture
def two_projects(
    company: Company, tmp_path: Path, signing_key: str, other_key: str
) -> Iterator[Server]:
    """A server of two projects, each of which gave it the public half of its key."""
    keys = {
        "one": keys_in(tmp_path / "one", key=public_pem(signing_key)),
        "two": keys_in(tmp_path / "two", key=public_pem(other_key)),
    }
    projects = {name: {"folder": company.folder, "keys": folder} for name, folder in keys.items()}
    config = ServerConfig.model_validate(
        {"projects": projects, "state": tmp_path / "both", "port": 0}
    )
    with Server(config) as server:
        yield server


Status = Callable[..., int]


@pytest.fixture
def status(two_projects: Server) -> Status:
    def ask(key: str, *, project: str, aud: str | None = None) -> int:
        bearer = token(key, project=aud or project)
        return httpx.get(
            f"{two_projects.base_url}/projects/{project}/sync/status",
            headers={"Authorization": f"Bearer {bearer}"},
            params=FILES,
            trust_env=False,
        ).status_code

    return ask


def test_a_key_opens_its_own_project_only(status: Status, signing_key: str, other_key: str) -> None:
    assert status(signing_key, project="one") == 200
    assert status(other_key, project="two") == 200
    assert status(signing_key, project="two") == 401
    assert status(signing_key, project="two", aud="one") == 401
    assert status(signing_key, project="one", aud="two") == 403


def test_where_the_token_names_the_project_it_opens_that_one_only(
    two_projects: Server, signing_key: str, other_key: str
) -> None:
    def syncs(key: str, **claims: object) -> httpx.Response:
        bearer = token(key, **claims)  # type: ignore[arg-type]
        headers = {"Authorization": f"Bearer {bearer}"}
        return httpx.get(f"{two_projects.base_url}/api/syncs", headers=headers, trust_env=False)

    assert syncs(signing_key, project="one").status_code == 200
    assert syncs(signing_key, project="two").status_code == 401
    assert syncs(other_key, project="one").status_code == 401
    assert syncs(signing_key, aud=None).status_code == 401
    assert syncs(signing_key, aud="one").status_code == 401
    assert syncs(signing_key, project="three").status_code == 401
    assert syncs(signing_key, aud=["useparagon.com/two", "useparagon.com/one"]).status_code == 401


def test_records_and_graph_of_one_project_are_not_reached_from_another(
    two_projects: Server, signing_key: str, other_key: str
) -> None:
    def client(key: str, project: str) -> httpx.Client:
        return httpx.Client(
            base_url=f"{two_projects.base_url}/projects/{project}",
            headers={"Authorization": f"Bearer {token(key, project=project)}"},
            trust_env=False,
        )

    with client(signing_key, "one") as one, client(other_key, "two") as two:
        for each in (one, two):
            each.post("/sync/enable", json=FILES)
            while each.get("/sync/status", params=FILES).json()["status"] == "SYNCING":
                pass
        records = one.get("/sync/records", params=FILES).json()["records"]
        handbook = next(record["id"] for record in records if record["sourceId"] == "/handbook.md")
        assert one.get(f"/sync/records/{handbook}/content").status_code == 200
        assert two.get(f"/sync/records/{handbook}").status_code == 404
        assert two.get(f"/sync/records/{handbook}/content").status_code == 404
        check = {
            "subject": "maria@harbor.example",
            "relation": "viewer",
            "object": f"file:{handbook}",
        }
        assert one.post("/permissions/check-access", json=check).json() == {"allowed": True}
        assert two.post("/permissions/check-access", json=check).json() == {"allowed": False}
        listed = two.post("/permissions/list-objects", json=check).json()["objects"]
        assert f"file:{handbook}" not in listed


def test_keys_rotate_without_an_outage(
    status: Status, tmp_path: Path, signing_key: str, other_key: str
) -> None:
    def accepted() -> tuple[int, int]:
        return status(signing_key, project="one"), status(other_key, project="one")

    assert accepted() == (200, 401)
    keys_in(tmp_path / "one", next=public_pem(other_key))
    assert accepted() == (200, 200)
    (tmp_path / "one" / "key.pem").unlink()
    assert accepted() == (401, 200)


def test_a_new_key_is_good_at_once_however_short_ago_the_keys_were_looked_at(
    status: Status,
    tmp_path: Path,
    signing_key: str,
    other_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(key_ring, "_LOOK_SECONDS", 3600)
    assert status(signing_key, project="one") == 200
    assert status(other_key, project="one") == 401
    for name in ("next", "after"):
        keys_in(tmp_path / "one", **{name: public_pem(other_key)})
        assert status(other_key, project="one") == 200
        assert status(signing_key, project="one") == 200
        (tmp_path / "one" / f"{name}.pem").unlink()
        # A stranger's token makes the server look again, and a key that is gone is gone.
        assert status(other_key, project="two") == 200
        assert status(_other_pem(), project="one") == 401
        assert status(other_key, project="one") == 401


def test_half_a_key_is_read_again_when_it_is_whole(
    status: Status, tmp_path: Path, other_key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_ring, "_LOOK_SECONDS", 3600)
    whole = public_pem(other_key)
    keys_in(tmp_path / "one", next=whole[:100])
    assert status(other_key, project="one") == 401
    keys_in(tmp_path / "one", next=whole)
    assert status(other_key, project="one") == 200


def test_a_damaged_key_opens_nothing_and_leaves_the_others_alone(
    status: Status, tmp_path: Path, signing_key: str
) -> None:
    (tmp_path / "one" / "broken.pem").write_text("-----BEGIN PUBLIC KEY-----\nx\n")
    assert status(signing_key, project="one") == 200
    (tmp_path / "one" / "key.pem").write_text("")
    assert status(signing_key, project="one") == 401


def test_the_newest_private_key_signs(tmp_path: Path, signing_key: str, other_key: str) -> None:
    keys_in(tmp_path, a=signing_key, z=other_key)
    os.utime(tmp_path / "z.pem", (1, 1))
    assert load_or_create_signing_key(tmp_path).pem == signing_key
    assert len(KeyRing(tmp_path).public_keys()) == 2


def test_where_only_public_keys_are_nothing_can_be_signed(tmp_path: Path, signing_key: str) -> None:
    keys_in(tmp_path, key=public_pem(signing_key))
    with pytest.raises(ConfigurationError, match="only public keys"):
        load_or_create_signing_key(tmp_path)


def test_short_keys_and_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    for key in (short, ec.generate_private_key(ec.SECP256R1())):
        pem = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        with pytest.raises(ConfigurationError, match=r"key\.pem"):
            KeyRing(keys_in(tmp_path, key=pem.decode()))


def test_a_command_that_reads_the_key_changes_nothing_for_the_server(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load_or_create_signing_key(tmp_path)
    ring = KeyRing(tmp_path)
    with caplog.at_level("INFO", "managed_sync.server"):
        load_or_create_signing_key(tmp_path)
        assert ring.new_keys() == []
    assert caplog.messages == []
