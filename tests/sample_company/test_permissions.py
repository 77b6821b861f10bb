"""Who may read what in the sample company: very different parts of it for each user."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
import yaml

from managed_sync.sample_company import company_folder
from tests.support.company_oracle import Oracle

COMPANY = company_folder()
PERMISSIONS: dict[str, Any] = yaml.safe_load((COMPANY / "permissions.yaml").read_text("utf-8"))
USERS: list[str] = PERMISSIONS["users"]
GROUPS: dict[str, list[str]] = PERMISSIONS["groups"]
ORACLE = Oracle(COMPANY)


def grants() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (kind, path, entry)
        for kind in ("files", "contacts", "deals", "tickets")
        for path, entry in PERMISSIONS[kind].items()
    ]


def depth(group: str) -> int:
    inner = [name.removeprefix("group:") for name in GROUPS[group] if name.startswith("group:")]
    return 1 + max(map(depth, inner), default=0)


def test_there_are_eight_users_and_groups_nested_three_levels_deep() -> None:
    assert len(USERS) == 8
    assert len(GROUPS) >= 6
    assert max(map(depth, GROUPS)) >= 3


def test_every_principal_is_a_user_a_group_or_the_organization() -> None:
    known = {*USERS, *(f"group:{name}" for name in GROUPS), "organization"}
    named = {
        principal
        for _, _, entry in grants()
        for role in ("owner", "editor", "viewer")
        for principal in entry.get(role, [])
    } | {principal for members in GROUPS.values() for principal in members}
    assert named <= known


def test_every_group_is_used() -> None:
    used = {
        principal
        for _, _, entry in grants()
        for role in ("owner", "editor", "viewer")
        for principal in entry.get(role, [])
    } | {principal for members in GROUPS.values() for principal in members}
    assert {f"group:{name}" for name in GROUPS} <= used


def test_every_path_exists() -> None:
    everything = ORACLE.everything()
    for kind, path, _ in grants():
        if kind == "files":
            assert (COMPANY / "files" / path.removeprefix("/")).exists(), path
        else:
            assert path == "/" or f"{kind}:{path.removeprefix('/')}" in everything, path


def test_every_kind_of_grant_occurs() -> None:
    entries = [entry for _, _, entry in grants()]
    for role in ("owner", "editor", "viewer"):
        assert sum(role in entry for entry in entries) >= 3
    assert sum(entry.get("inherit") is False for entry in entries) >= 10
    assert any("organization" in entry.get("viewer", []) for entry in entries)
    single_files = [
        path
        for kind, path, _ in grants()
        if kind == "files" and (COMPANY / f"files{path}").is_file()
    ]
    assert len(single_files) >= 5
    for kind in ("contacts", "deals", "tickets"):
        assert len(PERMISSIONS[kind]) >= 3


@pytest.mark.parametrize("user", USERS)
def test_each_user_may_read_something_and_not_everything(user: str) -> None:
    assert set() < ORACLE.allowed(user) < ORACLE.everything()


@pytest.mark.parametrize(("one", "other"), list(combinations(USERS, 2)))
def test_no_two_users_may_read_the_same(one: str, other: str) -> None:
    assert ORACLE.allowed(one) != ORACLE.allowed(other)


def test_the_chief_executive_reads_nearly_everything() -> None:
    allowed = ORACLE.allowed("elena@harbor.example")
    assert len(allowed) > 0.85 * len(ORACLE.everything())
    assert "files:/Board/Remuneration/CEO remuneration 2026.pdf" not in allowed


def test_the_contractor_reads_the_handbook_one_project_and_three_single_things() -> None:
    rest = {
        reference
        for reference in ORACLE.allowed("sam@harbor.example")
        if not reference.startswith(
            ("files:/Company/Handbook/", "files:/Engineering/Projects/Atlas/")
        )
    }
    assert rest == {"files:/Product/Heron H3 data sheet.pdf", "contacts:c-032", "tickets:t-031"}


@pytest.mark.parametrize(
    ("folder", "readers"),
    [
        ("/Legal/Kingfisher", {"elena", "carol", "lukas"}),
        ("/Board", {"elena", "carol"}),
        ("/Board/Remuneration", {"carol", "priya"}),
        ("/Finance/Payroll", {"carol", "priya"}),
        ("/People/Cases", {"priya"}),
        ("/Engineering/Projects/Osprey", {"elena", "tomas"}),
        ("/Company/Handbook", {user.partition("@")[0] for user in USERS}),
    ],
)
def test_a_folder_has_the_readers_that_its_documents_speak_of(
    folder: str, readers: set[str]
) -> None:
    reference = f"files:{folder}"
    assert {
        user.partition("@")[0] for user in USERS if reference in ORACLE.allowed_folders(user)
    } == readers
