from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from typing import Any

import httpx
import pytest

from managed_sync.server import EmbeddedServer
from tests.server.company import FILES, Caller

Connect = Callable[..., Caller]
USERS = [f"{name}@harbor.example" for name in ("maria", "carol", "dan", "erik", "nobody")]
ROLES = {"can_read": "viewer", "can_write": "editor", "is_owner": "owner"}


@pytest.fixture
def sync(harbor_caller: Caller) -> str:
    listed = harbor_caller.http.get("/api/syncs").json()["data"]
    identifier: str = next(one["id"] for one in listed if one["pipeline"] == "files")
    return identifier


@pytest.fixture
def ask(harbor_caller: Caller, sync: str) -> Callable[..., httpx.Response]:
    def post(operation: str, **body: Any) -> httpx.Response:
        return harbor_caller.http.post(f"/api/permissions/{sync}/{operation}", json=body)

    return post


Ask = Callable[..., httpx.Response]


def test_both_shapes_of_the_api_decide_alike(ask: Ask, harbor_caller: Caller) -> None:
    asked = list(product(harbor_caller.object_ids(FILES), USERS, ROLES))
    checks = [
        {"object": object_id, "subject": user, "relation": ROLES[role]}
        for object_id, user, role in asked
    ]
    answer = harbor_caller.post("permissions/batch-check-access", {"checks": checks}).json()
    expected = [result["allowed"] for result in answer["results"]]
    questions = [
        {"object": object_id.partition(":")[2], "user": user, "role": role}
        for object_id, user, role in asked
    ]
    results = ask("batch-check", checks=questions).json()["result"]
    assert [result["allowed"] for result in results] == expected
    for number in (expected.index(True), expected.index(False)):
        answer = ask("check", **questions[number]).json()
        assert answer == {"hasAccess": expected[number]}


def test_a_batch_echoes_its_questions_and_answers_the_good_ones(
    ask: Ask, harbor_caller: Caller
) -> None:
    budget = harbor_caller.records(FILES)["/Finance/budget.txt"]["id"]
    good = {"object": budget, "user": "user:carol@harbor.example", "role": "can_read"}
    checks = [
        good,
        {**good, "user": "user:maria@harbor.example"},
        {**good, "role": "can_fly"},
        {"object": budget},
        None,
        {**good, "object": "nothing-here"},
    ]
    results = ask("batch-check", checks=checks).json()["result"]
    assert [one["request"] for one in results] == checks
    assert [one["allowed"] for one in results] == [True, False, False, False, False, False]
    assert ["error" in one for one in results] == [False, False, True, True, True, False]
    assert "can_read" in results[2]["error"]


def test_who_may_read_a_record(ask: Ask, harbor_caller: Caller) -> None:
    budget = harbor_caller.records(FILES)["/Finance/budget.txt"]["id"]
    assert ask("list-users", object=budget, role="can_read").json() == {
        "users": ["carol@harbor.example"]
    }
    assert ask("list-users", object="nothing-here", role="can_read").json() == {"users": []}


def test_what_a_user_may_read_comes_at_once_or_line_by_line(
    ask: Ask, harbor_caller: Caller
) -> None:
    records = harbor_caller.records(FILES)
    body = {"objectType": "file", "user": "dan@harbor.example", "role": "can_read"}
    expected = [records["/handbook.md"]["id"], records["/Finance/Payroll/2026.csv"]["id"]]
    assert sorted(ask("list-objects", **body).json()["objects"]) == sorted(expected)
    streamed = ask("streamed-list-objects", **body)
    assert streamed.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line)["object"] for line in streamed.text.splitlines()]
    assert sorted(lines) == sorted(expected)
    folders = ask("list-objects", **{**body, "objectType": "folder"}).json()["objects"]
    assert folders == [records["/"]["id"]]


def test_records_of_another_sync_are_not_listed(harbor_caller: Caller, ask: Ask) -> None:
    listed = harbor_caller.http.get("/api/syncs").json()["data"]
    contacts = next(one["id"] for one in listed if one["pipeline"] == "contacts")
    body = {"objectType": "file", "user": "dan@harbor.example", "role": "can_read"}
    answer = harbor_caller.http.post(f"/api/permissions/{contacts}/list-objects", json=body)
    assert answer.json() == {"objects": []}
    handbook = harbor_caller.records(FILES)["/handbook.md"]["id"]
    check = {"object": handbook, "user": "dan@harbor.example", "role": "can_read"}
    answer = harbor_caller.http.post(f"/api/permissions/{contacts}/check", json=check)
    assert answer.json() == {"hasAccess": False}


def test_a_tree_shows_how_a_role_comes_about(ask: Ask, harbor_caller: Caller) -> None:
    records = harbor_caller.records(FILES)
    budget, finance = records["/Finance/budget.txt"]["id"], records["/Finance"]["id"]
    root = ask("expand", object=budget, relation="can_read").json()["tree"]["root"]
    assert root["name"] == f"{budget}#can_read"
    leaves = dict(_leaves(root))
    assert leaves[f"{budget}#can_read"] == []
    assert leaves[f"{finance}#can_read"] == ["group:finance#member"]
    assert leaves[f"{finance}#is_owner"] == ["user:carol@harbor.example"]


def _leaves(node: dict[str, Any]) -> list[tuple[str, list[str]]]:
    if "leaf" in node:
        return [(node["name"], node["leaf"]["users"]["users"])]
    return [leaf for child in node["union"]["nodes"] for leaf in _leaves(child)]


def test_unknown_roles_and_users_that_are_none_are_refused(ask: Ask) -> None:
    for user, role in (("a@b.example", "viewer"), ("", "can_read"), ("a\nb", "can_read")):
        assert ask("check", object="x", user=user, role=role).status_code == 400
    assert ask("list-users", object="x", role="viewer").status_code == 400
    assert ask("expand", object="nothing-here", relation="can_read").status_code == 404


def test_another_users_sync_cannot_be_asked(
    harbor_server: EmbeddedServer, connect: Connect, sync: str
) -> None:
    stranger = connect(harbor_server, "globex").http
    body = {"object": "x", "user": "a@b.example", "role": "can_read"}
    assert stranger.post(f"/api/permissions/{sync}/check", json=body).status_code == 404
