"""The oracle that other tests rely on, held against small companies worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.company_oracle import Oracle, reference_of

PERMISSIONS = """
organization: Small
users: [Ann@small.example, bob@small.example, eve@small.example]
groups:
  inner: [ann@small.example]
  outer: [group:inner, group:middle]
  middle: [group:outer, stranger@small.example]
files:
  /open: {viewer: [organization]}
  /team: {viewer: [group:outer]}
  /team/secret: {inherit: false, owner: [BOB@SMALL.example]}
  /team/secret/deep/shared.txt: {editor: [eve@small.example]}
  /team/odd.txt: {viewer: [stranger@small.example, group:nobody, eve@elsewhere.example]}
  /missing: {owner: [eve@small.example]}
contacts:
  /: {viewer: [bob@small.example]}
  /c-1: {editor: [ann@small.example]}
  /c-2: {inherit: false}
"""


@pytest.fixture
def company(tmp_path: Path) -> Path:
    for name in ("top", "open/a", "team/a", "team/odd", "team/secret/deep/shared", "team/secret/b"):
        path = tmp_path / "files" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text")
    (tmp_path / "contacts.jsonl").write_text('{"id": "c-1"}\n{"id": "c-2"}\n{"id": "c-3"}\n')
    (tmp_path / "permissions.yaml").write_text(PERMISSIONS)
    return tmp_path


def test_nested_groups_count_and_a_cycle_does_no_harm(company: Path) -> None:
    assert Oracle(company).allowed("ann@small.example") == {
        *("files:/open/a.txt", "files:/team/a.txt", "files:/team/odd.txt", "contacts:c-1"),
    }


def test_a_cut_of_inheritance_holds_for_everything_below(company: Path) -> None:
    assert Oracle(company).allowed("bob@small.example") == {
        *("files:/open/a.txt", "files:/team/secret/b.txt", "files:/team/secret/deep/shared.txt"),
        *("contacts:c-1", "contacts:c-3"),
    }


def test_a_single_file_may_be_shared_out_of_a_closed_folder(company: Path) -> None:
    oracle = Oracle(company)
    assert oracle.allowed("eve@small.example") == {
        *("files:/open/a.txt", "files:/team/secret/deep/shared.txt"),
    }
    assert oracle.allowed_folders("eve@small.example") == {"files:/open"}


def test_stronger_roles_imply_weaker_ones_and_not_the_other_way_round(company: Path) -> None:
    oracle = Oracle(company)
    secret = "files:/team/secret/b.txt"
    assert all(secret in oracle.allowed("bob@small.example", role) for role in ("owner", "editor"))
    shared = "files:/team/secret/deep/shared.txt"
    assert oracle.allowed("eve@small.example", "editor") == {shared}
    assert oracle.allowed("eve@small.example", "owner") == set()


def test_addresses_are_compared_without_regard_to_case(company: Path) -> None:
    oracle = Oracle(company)
    assert oracle.allowed("ANN@small.EXAMPLE") == oracle.allowed("ann@small.example")


def test_whoever_is_not_a_user_may_read_nothing(company: Path) -> None:
    oracle = Oracle(company)
    for name in ("stranger@small.example", "eve@elsewhere.example", "organization", "group:inner"):
        assert oracle.allowed(name) == set()


def test_what_nobody_was_granted_nobody_may_read(company: Path) -> None:
    oracle = Oracle(company)
    users = ("ann@small.example", "bob@small.example", "eve@small.example")
    readable = set().union(*(oracle.allowed(user) for user in users))
    assert oracle.everything() - readable == {"files:/top.txt", "contacts:c-2"}


def test_an_answer_is_named_as_the_oracle_names_it() -> None:
    assert reference_of("/a/b.txt") == "files:/a/b.txt"
    assert reference_of("ticket:t-001") == "tickets:t-001"
