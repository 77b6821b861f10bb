from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from managed_sync.models import RelationshipNode
from managed_sync.server import EmbeddedServer
from tests.server.company import CONTACTS, DEALS, FILES, Caller, Company

Connect = Callable[..., Caller]

MARIA = "maria@harbor.example"
CAROL = "carol@harbor.example"
DAN = "dan@harbor.example"
ERIK = "erik@harbor.example"


def _check(subject: Any, relation: Any, object_id: Any) -> dict[str, Any]:
    return {"subject": subject, "relation": relation, "object": object_id}


def test_a_grant_on_a_folder_holds_for_what_lies_in_it(harbor_caller: Caller) -> None:
    payroll = harbor_caller.object_id(FILES, "/Finance/Payroll/2026.csv")
    assert harbor_caller.allowed(CAROL, payroll, "owner")
    assert harbor_caller.allowed(DAN, payroll, "editor")


def test_inherit_false_cuts_off_what_is_granted_above(harbor_caller: Caller) -> None:
    budget = harbor_caller.object_id(FILES, "/Finance/budget.txt")
    assert harbor_caller.allowed(MARIA, harbor_caller.object_id(FILES, "/handbook.md"))
    assert not harbor_caller.allowed(MARIA, budget)
    assert not harbor_caller.allowed(DAN, budget)


def test_a_stronger_relation_implies_the_weaker_ones_only(harbor_caller: Caller) -> None:
    payroll = harbor_caller.object_id(FILES, "/Finance/Payroll/2026.csv")
    assert [
        harbor_caller.allowed(DAN, payroll, role) for role in ("viewer", "editor", "owner")
    ] == [
        True,
        True,
        False,
    ]


def test_records_inherit_from_the_root_of_their_pipeline(harbor_caller: Caller) -> None:
    assert harbor_caller.allowed(MARIA, harbor_caller.object_id(CONTACTS, "c-1"))
    assert not harbor_caller.allowed(MARIA, harbor_caller.object_id(CONTACTS, "c-2"))
    assert harbor_caller.allowed(ERIK, harbor_caller.object_id(CONTACTS, "c-2"), "owner")


@pytest.mark.parametrize(
    "subject", ["MARIA@Harbor.Example", "user:maria@harbor.example", "user:Maria@harbor.example"]
)
def test_a_user_is_the_same_in_every_spelling(harbor_caller: Caller, subject: str) -> None:
    assert harbor_caller.allowed(subject, harbor_caller.object_id(CONTACTS, "c-1"))


def test_a_group_is_a_subject_too(harbor_caller: Caller) -> None:
    contact = harbor_caller.object_id(CONTACTS, "c-1")
    assert harbor_caller.allowed("group:sales", contact)
    assert harbor_caller.allowed("group:sales-emea", contact)
    assert not harbor_caller.allowed("group:finance", contact)
    assert not harbor_caller.allowed("group:SALES", contact)


@pytest.mark.parametrize(
    ("subject", "relation", "object_id"),
    [
        ("nobody@harbor.example", "viewer", None),
        ("organization", "viewer", None),
        ("group:nothing", "viewer", None),
        (MARIA, "viewer", "file:unknown"),
        (MARIA, "viewer", "planet:mars"),
    ],
)
def test_what_is_unknown_is_not_allowed(
    harbor_caller: Caller, subject: str, relation: str, object_id: str | None
) -> None:
    handbook = harbor_caller.object_id(FILES, "/handbook.md")
    assert not harbor_caller.allowed(subject, object_id or handbook, relation)


@pytest.mark.parametrize("relation", ["reader", "raeder", "parent", "VIEWER", "viewers", "<b>"])
def test_an_unknown_relation_is_refused_by_name_wherever_it_is_asked_about(
    harbor_caller: Caller, relation: str
) -> None:
    handbook = harbor_caller.object_id(FILES, "/handbook.md")
    asked = _check(MARIA, relation, handbook)
    for operation, body in {
        "check-access": asked,
        "expand": asked,
        "list-users": {"object": handbook, "relation": relation},
        "list-objects": {"subject": MARIA, "relation": relation},
        "batch-check-access": {"checks": [_check(MARIA, "viewer", handbook), asked]},
    }.items():
        response = harbor_caller.post(f"permissions/{operation}", body)
        assert response.status_code == 400, operation
        detail = response.json()["detail"]
        assert "viewer, editor, owner, member" in detail
        assert repr(relation) in detail


MALFORMED = [
    _check("", "viewer", "file:x"),
    _check("  ", "viewer", "file:x"),
    _check("a b@c", "viewer", "file:x"),
    _check("group:", "viewer", "file:x"),
    _check("user:", "viewer", "file:x"),
    _check(MARIA, "", "file:x"),
    _check(MARIA, "viewer", "file"),
    _check(MARIA, "viewer", ":x"),
    _check(MARIA, "viewer", "file:x\x00y"),
    _check(MARIA, "viewer", None),
    _check(7, "viewer", "file:x"),
    {"subject": MARIA, "relation": "viewer"},
    "text",
    None,
]


@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_check_is_a_bad_request(harbor_caller: Caller, body: object) -> None:
    response = harbor_caller.post("permissions/check-access", body)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"


def test_half_a_character_is_a_bad_request(harbor_caller: Caller) -> None:
    response = harbor_caller.http.post(
        "/projects/demo/permissions/check-access",
        content=b'{"subject": "a\\ud800@x", "relation": "viewer", "object": "file:\\ud800"}',
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 400


def test_a_batch_answers_in_order_and_a_malformed_item_harms_no_other(
    harbor_caller: Caller,
) -> None:
    handbook = harbor_caller.object_id(FILES, "/handbook.md")
    budget = harbor_caller.object_id(FILES, "/Finance/budget.txt")
    good = [
        _check(MARIA, "viewer", handbook),
        _check(MARIA, "viewer", budget),
        _check(CAROL, "owner", budget),
        _check(MARIA, "viewer", handbook),
    ]
    checks: list[Any] = [*good, *MALFORMED, *reversed(good)]
    response = harbor_caller.post("permissions/batch-check-access", {"checks": checks})
    assert response.status_code == 200
    answers = [True, False, True, True]
    assert [result["allowed"] for result in response.json()["results"]] == [
        *answers,
        *[False] * len(MALFORMED),
        *reversed(answers),
    ]


def test_an_empty_batch_has_no_results(harbor_caller: Caller) -> None:
    assert harbor_caller.post("permissions/batch-check-access", {"checks": []}).json() == {
        "results": []
    }


def test_a_batch_of_a_thousand_is_the_most(harbor_caller: Caller) -> None:
    handbook = harbor_caller.object_id(FILES, "/handbook.md")
    checks = [_check(MARIA, "viewer", handbook)] * 1_000
    response = harbor_caller.post("permissions/batch-check-access", {"checks": checks})
    assert response.json()["results"] == [{"allowed": True}] * 1_000
    response = harbor_caller.post(
        "permissions/batch-check-access", {"checks": [*checks, checks[0]]}
    )
    assert response.status_code == 413
    assert "1000" in response.json()["detail"]


@pytest.mark.parametrize("body", [{}, {"checks": None}, {"checks": {}}, []])
def test_a_batch_without_checks_is_a_bad_request(harbor_caller: Caller, body: object) -> None:
    assert harbor_caller.post("permissions/batch-check-access", body).status_code == 400


def test_list_users_names_whoever_may(harbor_caller: Caller) -> None:
    def users(relation: str, object_id: str) -> Any:
        body = {"relation": relation, "object": object_id}
        return harbor_caller.post("permissions/list-users", body).json()["subjects"]

    payroll = harbor_caller.object_id(FILES, "/Finance/Payroll/2026.csv")
    assert users("viewer", payroll) == [CAROL, DAN]
    assert users("owner", payroll) == [CAROL]
    assert users("viewer", harbor_caller.object_id(FILES, "/handbook.md")) == [
        CAROL,
        DAN,
        ERIK,
        MARIA,
    ]
    assert users("viewer", harbor_caller.object_id(CONTACTS, "c-1")) == [MARIA]
    assert users("viewer", "file:unknown") == []
    assert harbor_caller.post("permissions/list-users", {"object": "x", "relation": "v"}).is_error


def test_list_objects_names_whatever_may_be_read(harbor_caller: Caller) -> None:
    def objects(subject: str, relation: str, **further: str) -> Any:
        body = {"subject": subject, "relation": relation, **further}
        return set(harbor_caller.post("permissions/list-objects", body).json()["objects"])

    handbook = harbor_caller.object_id(FILES, "/handbook.md")
    contact = harbor_caller.object_id(CONTACTS, "c-1")
    root = harbor_caller.object_id(FILES, "/")
    assert {handbook, contact, root} == objects(MARIA, "viewer")
    assert objects(MARIA, "viewer", objectType="file") == {handbook}
    assert objects(MARIA, "viewer", objectType="contact") == {contact}
    assert objects("group:sales", "viewer", objectType="contact") == {contact}
    assert objects(MARIA, "owner") == set()
    assert objects("nobody@harbor.example", "viewer") == set()
    assert objects(MARIA, "viewer", objectType="fil") == set()
    empty = {"subject": MARIA, "relation": "viewer", "objectType": ""}
    assert harbor_caller.post("permissions/list-objects", empty).status_code == 400


def test_list_objects_names_only_what_is_a_record(caller: Caller, company: Company) -> None:
    company.write_lines("deals", {"id": "d-1"})
    company.write_permissions(
        (company.folder / "permissions.yaml").read_text() + "deals: {/: {viewer: [organization]}}\n"
    )
    for pipeline in (FILES, CONTACTS, DEALS):
        caller.enable(pipeline)
    company.write_lines("deals")
    caller.enable(DEALS)
    for subject in (MARIA, CAROL, "group:sales"):
        for further in ({}, {"objectType": "folder"}):
            body = {"subject": subject, "relation": "viewer", **further}
            listed = caller.post("permissions/list-objects", body).json()["objects"]
            for one in listed:
                assert caller.get(f"sync/records/{one.partition(':')[2]}").is_success, one
    groups = {"subject": MARIA, "relation": "member"}
    assert "group:sales" in caller.post("permissions/list-objects", groups).json()["objects"]


def test_expand_says_how_the_relation_comes_about(harbor_caller: Caller) -> None:
    body = _check(MARIA, "viewer", harbor_caller.object_id(CONTACTS, "c-1"))
    tree = RelationshipNode.model_validate(harbor_caller.post("permissions/expand", body).json())
    assert (tree.via, tree.granted, tree.subjects) == ("self", True, ())
    implied, parent = tree.children
    assert (implied.via, implied.relation, implied.granted) == ("implied", "editor", False)
    assert (parent.via, parent.granted, parent.subjects) == ("parent", True, ("group:sales",))
    sales = parent.children[1]
    assert (sales.via, sales.object, sales.subjects) == (
        "member",
        "group:sales",
        ("group:sales-emea",),
    )
    assert sales.children[0].object == "group:sales-emea"
    assert sales.children[0].subjects == (MARIA,)
    assert sales.children[0].granted


def test_expand_agrees_with_check(harbor_caller: Caller) -> None:
    # Each person with another relation to a file; random graphs are in graph/test_differential.py.
    subjects = (MARIA, CAROL, DAN, "group:finance", "nobody@harbor.example")
    relations = ("viewer", "editor", "owner", "member")
    checks = [
        _check(subject, relations[(file + number) % 4], object_id)
        for file, object_id in enumerate(harbor_caller.object_ids(FILES))
        for number, subject in enumerate(subjects)
    ]
    answer = harbor_caller.post("permissions/batch-check-access", {"checks": checks}).json()
    allowed = [result["allowed"] for result in answer["results"]]
    assert True in allowed
    assert allowed == [
        harbor_caller.post("permissions/expand", check).json()["granted"] for check in checks
    ]


def test_the_graph_of_another_connected_user_is_out_of_reach(
    harbor_server: EmbeddedServer, connect: Connect, harbor_caller: Caller
) -> None:
    handbook = harbor_caller.object_id(FILES, "/handbook.md")
    stranger = connect(harbor_server, "globex")
    for _ in range(2):
        assert not stranger.allowed(MARIA, handbook)
        body = {"checks": [_check(MARIA, "viewer", handbook)]}
        answer = stranger.post("permissions/batch-check-access", body).json()
        assert answer == {"results": [{"allowed": False}]}
        users = stranger.post(
            "permissions/list-users", {"object": handbook, "relation": "viewer"}
        ).json()
        assert users == {"subjects": []}
        objects = stranger.post(
            "permissions/list-objects", {"subject": MARIA, "relation": "viewer"}
        ).json()["objects"]
        assert handbook not in objects
        tree = stranger.post("permissions/expand", _check(MARIA, "viewer", handbook)).json()
        assert tree["granted"] is False
        assert "maria" not in str(tree)
        stranger.enable(FILES)


def test_what_is_public_is_open_to_whoever_asks(caller: Caller, company: Company) -> None:
    company.replace_in_permissions("owner: [carol@harbor.example]", "editor: [public]")
    company.write_lines("companies", {"id": "co-1", "name": "Acme"})
    company.write_permissions(
        (company.folder / "permissions.yaml").read_text()
        + "companies:\n  /co-1: {inherit: false, viewer: [public], owner: [group:sales]}\n"
    )
    caller.enable(FILES)
    caller.enable({"integration": "salesforce", "syncType": "companies"})
    budget = caller.object_id(FILES, "/Finance/budget.txt")
    assert caller.allowed("somebody@else.example", budget, "editor")
    assert not caller.allowed("somebody@else.example", budget, "owner")
    body = {"subject": "somebody@else.example", "relation": "viewer", "objectType": "company"}
    (acme,) = caller.post("permissions/list-objects", body).json()["objects"]
    body = {"object": acme, "relation": "viewer"}
    assert caller.post("permissions/list-users", body).json()["subjects"] == ["*", MARIA]
