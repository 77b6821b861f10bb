"""Lists and trees, which the specification leaves open, are read in each form that servers use."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from managed_sync import AccessChecker, ManagedSyncClient, RelationshipNode, explain
from managed_sync.errors import (
    ApiError,
    ApiStatusError,
    IncompleteResponseError,
    ResponseFormatError,
)
from tests.contract.cases import ALICE, ONE, SYNC, TWO, listed
from tests.support.clients import ClientOf

NDJSON = {"Content-Type": "application/x-ndjson"}


def projects_objects(client_of: ClientOf, **answer: Any) -> list[str]:
    found: list[str] = client_of.answering(**answer).list_objects(ALICE, "viewer")
    return found


class TestObjects:
    @pytest.mark.parametrize(
        "body",
        [
            ["file:1", "file:2"],
            {"objects": ["file:1", "file:2"]},
            {"objects": [{"id": "file:1"}, {"object": "file:2"}]},
            {"objects": [{"type": "file", "id": "1"}, {"object": {"type": "file", "id": "2"}}]},
            {"resources": [{"objectType": "file", "objectId": "1"}, "file:2"]},
        ],
    )
    def test_a_list_is_read(self, client_of: ClientOf, body: Any) -> None:
        assert projects_objects(client_of, json=body) == ["file:1", "file:2"]

    @pytest.mark.parametrize(
        "content",
        [
            b'"file:1"\n"file:2"\n',
            b'{"object": "file:1"}\n{"object": "file:2"}',
            b'{"object": "file:1"}\r\n\r\n{"object": "file:2"}\r\n',
            b'{"result": {"object": "file:1"}}\n{"result": {"object": "file:2"}}\n',
        ],
    )
    @pytest.mark.parametrize("headers", [NDJSON, {"Content-Type": "application/json"}])
    def test_lines_are_read(
        self, client_of: ClientOf, content: bytes, headers: dict[str, str]
    ) -> None:
        assert projects_objects(client_of, content=content, headers=headers) == ["file:1", "file:2"]

    def test_no_lines_are_no_objects(self, client_of: ClientOf) -> None:
        assert projects_objects(client_of, content=b"", headers=NDJSON) == []

    @pytest.mark.parametrize(
        "content",
        [
            b'{"object": "file:1"}\n{"object": "fi',
            b'{"object": "file:1"}\n{"object"',
            b'{"object": "file:1"}\n{"object": "file:2"}\n{',
            b'{"obj',
            b'{"object": "file:1"}\n{"error": {"message": "deadline exceeded"}}\n',
        ],
    )
    def test_a_stream_that_breaks_off_is_not_taken_for_a_short_list(
        self, client_of: ClientOf, content: bytes
    ) -> None:
        client = client_of.answering(content=content, headers=NDJSON, retry_budget=0)

        with pytest.raises(IncompleteResponseError):
            client.list_objects(ALICE, "viewer")

    def test_one_that_breaks_off_once_is_asked_for_again(self, client_of: ClientOf) -> None:
        answers = [b'{"object": "file:1"}\n{"obj', b'{"object": "file:1"}\n{"object": "file:2"}\n']
        client = client_of(
            lambda _: httpx.Response(200, content=answers.pop(0), headers=NDJSON),
        )

        assert client.list_objects(ALICE, "viewer") == ["file:1", "file:2"]

    @pytest.mark.parametrize(
        ("body", "found"),
        [
            ({"things": []}, "things"),
            ({"objects": {"a": 1}}, "objects"),
            ({"objects": [{"key": "file:1"}]}, "key"),
            ({"objects": [7]}, "a number"),
            ({"objects": [""]}, "a string"),
            ({"objects": [{"type": "", "id": ""}]}, "type"),
            ({"objects": ["1"]}, "file:abc123"),
            ("file:1", "a string"),
            ({"object": "file:1"}, "object"),
        ],
    )
    def test_what_cannot_be_read_is_an_error_that_names_what_was_found(
        self, client_of: ClientOf, body: Any, found: str
    ) -> None:
        with pytest.raises(ResponseFormatError, match=found):
            projects_objects(client_of, json=body)


class TestListsThatSayTheyLackSomething:
    """They are used, and are never taken for all that there is."""

    LIST = ["file:1", "file:2"]  # noqa: RUF012 - nothing changes it

    @pytest.mark.parametrize(
        "answer",
        [
            {"content": b""},
            {"status": 204},
            {"json": {"objects": LIST, "truncated": True}},
            {"json": {"objects": LIST, "hasMore": True}},
            {"json": {"objects": LIST, "has_more": "yes"}},
            {"json": {"objects": LIST, "total": 3}},
            {"json": {"objects": [], "totalCount": 1}},
            {"json": {"objects": LIST, "total": "3"}},
        ],
    )
    def test_one_is_not_whole(self, client_of: ClientOf, answer: dict[str, Any]) -> None:
        client = client_of.answering(**answer)

        for limit in (None, 1000):
            found = AccessChecker(client, list_limit=limit).list_objects(ALICE)
            assert (found.whole, found.proven) == (False, False)

    @pytest.mark.parametrize(
        "body",
        [
            LIST,
            {"objects": LIST},
            {"objects": LIST, "truncated": False, "hasMore": None, "total": 2, "requestId": "r"},
            {"objects": []},
        ],
    )
    def test_any_other_is(self, client_of: ClientOf, body: Any) -> None:
        client = client_of.answering(json=body)
        found = AccessChecker(client, list_limit=None).list_objects(ALICE)

        assert (found.whole, found.proven) == (True, True)

    def test_the_total_is_that_of_all_pages(self, client_of: ClientOf) -> None:
        first = {"objects": ["file:1"], "total": 2, "hasMore": True, "nextCursor": "c2"}
        last = {"objects": ["file:2"], "total": 2, "hasMore": False}

        def answer(request: httpx.Request) -> httpx.Response:
            has_cursor = "cursor" in json.loads(request.content)
            return httpx.Response(200, json=last if has_cursor else first)

        checker = AccessChecker(client_of(answer), list_limit=None)
        assert checker.list_objects(ALICE).proven


class TestLaterPages:
    @pytest.mark.parametrize(
        ("said", "sent"),
        [
            ("nextCursor", "cursor"),
            ("nextPageToken", "pageToken"),
            ("continuation_token", "continuation_token"),
        ],
    )
    def test_a_list_in_parts_is_read_to_its_end(
        self, client_of: ClientOf, said: str, sent: str
    ) -> None:
        pages = {
            None: {"objects": ["file:1"], said: "c2"},
            "c2": {"objects": ["file:2"], said: ""},
        }
        client = client_of(
            lambda request: httpx.Response(200, json=pages[json.loads(request.content).get(sent)])
        )

        assert client.list_objects(ALICE, "viewer") == ["file:1", "file:2"]

    def test_a_server_that_ignores_its_own_cursor_is_an_error_and_no_short_list(
        self, client_of: ClientOf
    ) -> None:
        with pytest.raises(ResponseFormatError, match="listing of subjects does not end: page 2"):
            client_of.answering(json={"users": [ALICE], "nextCursor": "c2"}).list_users(
                "file:1", "viewer"
            )

    def test_a_list_of_the_same_names_under_ever_new_cursors_is_an_error_and_no_loop(
        self, client_of: ClientOf
    ) -> None:
        cursors = iter(range(1000))

        def answer(_: httpx.Request) -> httpx.Response:
            return httpx.Response(
                200, json={"objects": ["file:1"], "nextCursor": f"c{next(cursors)}"}
            )

        with pytest.raises(ResponseFormatError, match=r"objects.* does not end: page 22"):
            client_of(answer).list_objects(ALICE, "viewer")


class TestSubjects:
    @pytest.mark.parametrize(
        "body",
        [
            [ALICE, "group:eng#member", "user:*"],
            {"subjects": [f"user:{ALICE}", "group:eng#member", "user:*"]},
            {
                "users": [
                    {"object": {"type": "user", "id": ALICE}},
                    {"userset": {"type": "group", "id": "eng", "relation": "member"}},
                    {"wildcard": {"type": "user"}},
                ]
            },
            {
                "subjects": [
                    {"subject": {"object": {"objectType": "user", "objectId": ALICE}}},
                    {
                        "subject": {
                            "object": {"objectType": "group", "objectId": "eng"},
                            "optionalRelation": "member",
                        }
                    },
                    {"id": "user:*"},
                ]
            },
        ],
    )
    def test_a_list_is_read(self, client_of: ClientOf, body: Any) -> None:
        found = client_of.answering(json=body).list_users("file:1", "viewer")

        assert found == [ALICE, "group:eng#member", "user:*"]


def openfga(node: dict[str, Any]) -> dict[str, Any]:
    return {"tree": {"root": {"name": "file:1#viewer", **node}}}


def users(*names: str) -> dict[str, Any]:
    return {"name": "file:1#viewer", "leaf": {"users": {"users": list(names)}}}


def computed(userset: str) -> dict[str, Any]:
    return {"name": "file:1#viewer", "leaf": {"computed": {"userset": userset}}}


def spicedb(relation: str, **node: Any) -> dict[str, Any]:
    expanded = {"objectType": "file", "objectId": "1"}
    return {"expandedObject": expanded, "expandedRelation": relation, **node}


def subject(kind: str, name: str, relation: str = "") -> dict[str, Any]:
    return {"object": {"objectType": kind, "objectId": name}, "optionalRelation": relation}


def expanded(client_of: ClientOf, tree: Any, *, allowed: bool) -> RelationshipNode:
    def handler(request: httpx.Request) -> httpx.Response:
        is_check = request.url.path.endswith("check-access")
        return httpx.Response(200, json={"allowed": allowed} if is_check else tree)

    node: RelationshipNode = client_of(handler).expand(ALICE, "viewer", "file:1")
    return node


class TestTrees:
    @pytest.mark.parametrize("allowed", [True, False])
    def test_the_root_is_decided_by_a_check_and_never_by_a_tree_of_names(
        self, client_of: ClientOf, allowed: bool
    ) -> None:
        named = expanded(client_of, openfga(users(f"user:{ALICE}")), allowed=allowed)

        assert named.subjects == (ALICE,)
        assert named.granted is allowed

    def test_openfgas_operations_are_kept_apart(self, client_of: ClientOf) -> None:
        difference = {"difference": {"base": users("user:*"), "subtract": users("user:bob@x.y")}}
        both = {"intersection": {"nodes": [users(ALICE), computed("file:1#member")]}}
        tree = openfga(
            {
                "union": {
                    "nodes": [
                        users("group:eng#member", f"user:{ALICE}"),
                        {"name": "file:1#viewer", **difference},
                        {"name": "file:1#viewer", **both},
                    ]
                }
            }
        )

        root = expanded(client_of, tree, allowed=True)

        assert root.subjects == (ALICE,)
        assert [(node.object, node.relation, node.via) for node in root.children] == [
            ("group:eng", "member", "member"),
            ("file:1", "viewer", "implied"),
            ("file:1", "viewer", "implied"),
        ]
        assert [node.operation for node in root.children[1:]] == ["difference", "intersection"]
        assert [node.granted for node in root.children] == [None, True, None]

    def test_who_is_subtracted_is_not_granted(self, client_of: ClientOf) -> None:
        tree = openfga({"union": {"nodes": [{"difference": {
            "base": users("user:*"), "subtract": users(f"user:{ALICE}"),
        }}]}})  # fmt: skip

        assert expanded(client_of, tree, allowed=False).children[0].granted is False

    def test_spicedbs_tree_is_read(self, client_of: ClientOf) -> None:
        tree = {
            "expandedAt": {"token": "z"},
            "treeRoot": spicedb(
                "viewer",
                intermediate={
                    "operation": "OPERATION_UNION",
                    "children": [
                        spicedb("viewer", leaf={"subjects": [subject("user", ALICE)]}),
                        spicedb("editor", leaf={"subjects": [subject("group", "eng", "member")]}),
                        spicedb("owner", leaf={}),
                    ],
                },
            ),
        }

        root = expanded(client_of, tree, allowed=True)

        assert (root.object, root.relation, root.subjects) == ("file:1", "viewer", (ALICE,))
        assert [(node.relation, node.via, node.granted) for node in root.children] == [
            ("editor", "implied", None),
            ("owner", "implied", False),
        ]
        assert root.children[0].children[0].object == "group:eng"

    @pytest.mark.parametrize(
        ("tree", "found"),
        [
            ({"graph": {}}, "graph"),
            ([], "a list"),
            ({"tree": {}}, "tree"),
            (openfga({"leaf": {"people": []}}), "people"),
            (openfga({"exclusion": {}}), "exclusion"),
            (openfga({"union": {"nodes": ["x"]}}), "a string"),
            (openfga({"leaf": {"users": {"users": [7]}}}), "a number"),
            (openfga({"leaf": {"computed": {"userset": "file:1"}}}), "relation"),
            ({"treeRoot": spicedb("viewer", intermediate={"operation": "?"})}, "intermediate"),
            ({"treeRoot": spicedb("viewer", leaf={"subjects": [{"id": "x"}]})}, "id"),
        ],
    )
    def test_what_cannot_be_read_is_an_error_that_names_what_was_found(
        self, client_of: ClientOf, tree: Any, found: str
    ) -> None:
        with pytest.raises(ResponseFormatError, match=found):
            expanded(client_of, tree, allowed=True)

    def test_a_tree_without_end_is_an_error(self, client_of: ClientOf) -> None:
        node: dict[str, Any] = users(ALICE)
        for _ in range(300):
            node = {"name": "file:1#viewer", "union": {"nodes": [node]}}

        with pytest.raises(ResponseFormatError, match="levels deep"):
            expanded(client_of, openfga(node), allowed=True)

    def test_such_a_tree_can_be_explained_in_words(self) -> None:
        class Client:
            def expand(self, *_: str) -> RelationshipNode:
                return RelationshipNode(
                    object="file:1", relation="viewer", subjects=("bob@x.y",), granted=False,
                    children=(RelationshipNode(
                        object="group:eng", relation="member", via="member", granted=None
                    ),),
                )  # fmt: skip

        assert "viewers bob@x.y" in explain(Client(), ALICE, "file:1")


class TestHostedLists:
    def test_a_list_longer_than_a_thousand_is_whole_and_no_proof_that_nothing_is_missing(
        self,
    ) -> None:
        stream = b"".join(b'{"object": "%d"}\n' % number for number in range(2000))

        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/api/syncs"):
                return httpx.Response(200, json={"data": [listed()]})
            is_file = json.loads(request.content)["objectType"] == "file"
            return httpx.Response(200, content=stream if is_file else b"", headers=NDJSON)

        client = ManagedSyncClient("p1", "t", api="hosted", transport=httpx.MockTransport(handler))
        found = AccessChecker(client).list_objects(ALICE)

        assert len(found.object_ids) == 2000
        assert found.whole
        # A stream that its server ends early looks the same as one that is whole.
        assert not found.proven
        assert AccessChecker(client, list_limit=None).list_objects(ALICE).proven

    @pytest.mark.parametrize("line", ['{"object": "a/b"}', '{"object": "contact:1"}', "{}"])
    def test_what_is_no_record_is_an_error(self, client_of: ClientOf, line: str) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/api/syncs"):
                return httpx.Response(200, json={"data": [listed()]})
            return httpx.Response(200, text=line, headers=NDJSON)

        with pytest.raises(ResponseFormatError):
            client_of(handler, api="hosted").list_objects(ALICE, "viewer")

    @pytest.mark.parametrize("refusal", [400, 404])
    def test_a_sync_without_permissions_does_not_cost_the_lists_of_the_others(
        self, client_of: ClientOf, refusal: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/api/syncs"):
                return httpx.Response(200, json={"data": [listed(), listed("plain")]})
            if "plain" in request.url.path:
                return httpx.Response(refusal, json={"message": "no permissions here"})
            return httpx.Response(200, text=f'{{"object": "{ONE}"}}', headers=NDJSON)

        found = client_of(handler, api="hosted").list_objects(ALICE, "viewer", "file")

        assert found == [f"file:{SYNC}/{ONE}"]
        assert "plain" in caplog.text

    @pytest.mark.parametrize(
        "refusal",
        [
            {"status_code": 404, "html": "<html>no upstream</html>"},
            {"status_code": 422, "json": {"message": "timeout"}},
            {"status_code": 409, "json": {}},
        ],
    )
    def test_a_refusal_for_another_reason_is_no_shorter_list(
        self, client_of: ClientOf, refusal: dict[str, Any]
    ) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/api/syncs"):
                return httpx.Response(200, json={"data": [listed(), listed("broken")]})
            if "broken" in request.url.path:
                return httpx.Response(**refusal)
            return httpx.Response(200, text=f'{{"object": "{ONE}"}}', headers=NDJSON)

        with pytest.raises(ApiStatusError):
            client_of(handler, api="hosted").list_objects(ALICE, "viewer", "file")

    @pytest.mark.parametrize("status", [400, 403, 404, 500])
    def test_where_no_sync_has_a_list_that_is_an_error_and_not_an_empty_list(
        self, client_of: ClientOf, status: int
    ) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/api/syncs"):
                return httpx.Response(200, json={"data": [listed(), listed("plain")]})
            return httpx.Response(status)

        with pytest.raises(ApiError):
            client_of(handler, api="hosted", retry_budget=0).list_objects(ALICE, "viewer")

    def test_a_type_that_the_service_does_not_list_is_refused(self, client_of: ClientOf) -> None:
        with pytest.raises(ValueError, match="file or folder"):
            client_of.answering(json={}, api="hosted").list_objects(ALICE, "viewer", "contact")

    def test_a_thousand_users_may_not_be_all(
        self, client_of: ClientOf, caplog: pytest.LogCaptureFixture
    ) -> None:
        many = [f"u{number}@x.example" for number in range(1000)]

        found = client_of.answering(json={"users": many}, api="hosted").list_users(
            f"file:{SYNC}/{TWO}", "viewer"
        )

        assert found == many
        assert "there may be more" in caplog.text
