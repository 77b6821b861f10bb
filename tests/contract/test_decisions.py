"""Answers to batches that try to get somebody in: none of them is taken for a decision."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync import AccessChecker, ManagedSyncClient
from managed_sync.errors import AccessCheckError, ResponseFormatError
from tests.contract.cases import ALICE, ONE, OTHER_SYNC, SYNC, THREE, TWO, asked, check
from tests.support.clients import ClientOf
from tests.support.draws import draws

FIRST, SECOND = check(f"file:{SYNC}/{ONE}"), check(f"file:{SYNC}/{TWO}")
BOTH = (FIRST.object, SECOND.object)


def result(allowed: Any, record: str, **more: Any) -> dict[str, Any]:
    return {"allowed": allowed, "request": asked(record), **more}


class TestHostedEchoes:
    def test_a_decision_goes_to_the_check_that_it_names_and_not_to_its_place(
        self, client_of: ClientOf
    ) -> None:
        answer = {"result": [result(True, TWO), result(False, ONE)]}

        client = client_of.answering(json=answer, api="hosted")

        assert client.batch_check_access([FIRST, SECOND]) == [False, True]

    @pytest.mark.parametrize(
        "results",
        [
            [result(True, ONE), result(True, THREE)],
            [result(True, ONE), result(True, ONE)],
            [result(True, ONE), {"allowed": True}],
            [{"allowed": True}, {"allowed": True}],
            [result(True, ONE), {"allowed": True, "request": TWO}],
            [result(True, ONE), {"allowed": True, "request": asked(TWO, role="is_owner")}],
            [
                result(True, ONE),
                {"allowed": True, "request": asked(TWO, user="user:bob@x.example")},
            ],
            [result(True, ONE), {"allowed": True, "request": {}}],
            [result(True, ONE)],
            [result(True, ONE), result(True, TWO), result(True, TWO)],
            [result(True, ONE), result("false", TWO)],
            [result(True, ONE), result("true", TWO)],
            [result(True, ONE), result(1, TWO)],
            [result(True, ONE), result(None, TWO)],
            [result(True, ONE), {"request": asked(TWO)}],
            [result(True, ONE), True],
            [],
            None,
            {"0": result(True, ONE), "1": result(True, TWO)},
        ],
    )
    def test_what_is_not_one_boolean_for_each_check_decides_nothing(
        self, client_of: ClientOf, results: Any
    ) -> None:
        with pytest.raises(AccessCheckError) as caught:
            client_of.answering(json={"result": results}, api="hosted").batch_check_access(
                [FIRST, SECOND]
            )

        assert caught.value.undecided == BOTH

    def test_an_error_is_no_decision_even_beside_an_allowance(self, client_of: ClientOf) -> None:
        answer = {"result": [result(True, ONE), result(True, TWO, error={"code": "no_model"})]}

        with pytest.raises(AccessCheckError) as caught:
            client_of.answering(json=answer, api="hosted").batch_check_access([FIRST, SECOND])

        assert caught.value.undecided == (SECOND.object,)

    def test_the_same_check_twice_is_decided_once_or_not_at_all(self, client_of: ClientOf) -> None:
        same = {"result": [result(True, ONE), result(True, ONE)]}
        different = {"result": [result(True, ONE), result(False, ONE)]}

        client = client_of.answering(json=same, api="hosted")
        assert client.batch_check_access([FIRST, FIRST]) == [True, True]
        with pytest.raises(AccessCheckError) as caught:
            client_of.answering(json=different, api="hosted").batch_check_access([FIRST, FIRST])
        assert caught.value.undecided == (FIRST.object, FIRST.object)

    def test_a_user_may_be_echoed_in_another_spelling(self, client_of: ClientOf) -> None:
        echo = {**asked(ONE), "user": "Alice@Example.com"}
        client = client_of.answering(
            json={"result": [{"allowed": True, "request": echo}]}, api="hosted"
        )

        assert client.batch_check_access([FIRST]) == [True]


class TestProjectsEchoes:
    """The specification has no echo and no error; a server that has them is held to them."""

    @pytest.mark.parametrize(
        ("results", "undecided"),
        [
            (
                [
                    {"allowed": True, "request": FIRST.model_dump()},
                    {"allowed": True, "request": check("file:9").model_dump()},
                ],
                BOTH,
            ),
            ([{"allowed": True, "request": FIRST.model_dump()}, {"allowed": True}], BOTH),
            ([{"allowed": True}, {"allowed": True, "error": "timeout"}], BOTH[1:]),
        ],
    )
    def test_what_belongs_to_another_check_or_failed_decides_nothing(
        self, client_of: ClientOf, results: Any, undecided: tuple[str, ...]
    ) -> None:
        with pytest.raises(AccessCheckError) as caught:
            client_of.answering(json={"results": results}).batch_check_access([FIRST, SECOND])

        assert caught.value.undecided == undecided

    def test_an_echo_counts_more_than_the_place(self, client_of: ClientOf) -> None:
        results = [
            {"allowed": True, "request": SECOND.model_dump()},
            {"allowed": False, "request": FIRST.model_dump()},
        ]

        client = client_of.answering(json={"results": results})

        assert client.batch_check_access([FIRST, SECOND]) == [False, True]


class TestObjectsOfNoSync:
    def test_an_object_that_no_request_can_ask_about_is_denied_and_the_others_are_not(
        self, client_of: ClientOf, caplog: pytest.LogCaptureFixture
    ) -> None:
        client = client_of.answering(json={"result": [result(True, ONE)]}, api="hosted")
        unknown = [check(name) for name in ("file:abc", "abc", f"file:{SYNC}/", f"file:/{ONE}")]

        assert client.batch_check_access([*unknown, FIRST]) == [False] * 4 + [True]
        assert "index it again" in caplog.text

    def test_a_sync_that_fails_leaves_no_decision_of_the_others(self, client_of: ClientOf) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            if OTHER_SYNC in request.url.path:
                return httpx.Response(404)
            return httpx.Response(200, json={"result": [result(True, ONE)]})

        with pytest.raises(AccessCheckError) as caught:
            client_of(handler, api="hosted").batch_check_access(
                [FIRST, check(f"file:{OTHER_SYNC}/{ONE}")]
            )

        assert caught.value.undecided == (f"file:{OTHER_SYNC}/{ONE}",)

    @pytest.mark.parametrize("subject", ["group:eng", "", "user:", "a b"])
    def test_who_is_no_user_is_not_asked_about(self, client_of: ClientOf, subject: str) -> None:
        client = client_of.answering(json={"hasAccess": True}, api="hosted")

        with pytest.raises(ValueError, match=r"subject|user"):
            client.check_access(subject, "viewer", FIRST.object)

    def test_a_role_that_the_service_does_not_have_is_refused(self, client_of: ClientOf) -> None:
        client = client_of.answering(json={"hasAccess": True}, api="hosted")

        with pytest.raises(ValueError, match="viewer, editor, owner"):
            client.check_access(ALICE, "reader", FIRST.object)

    def test_a_single_check_takes_nothing_but_a_boolean(self, client_of: ClientOf) -> None:
        for said in ("true", 1, None, "false"):
            client = client_of.answering(json={"hasAccess": said}, api="hosted")
            with pytest.raises(Exception, match="hasAccess"):
                client.check_access(ALICE, "viewer", FIRST.object)


class TestSingleChecks:
    @pytest.mark.parametrize(
        "beside",
        [
            {"error": {"code": "internal"}},
            {"error": ""},
            {"request": {"subject": ALICE, "relation": "viewer", "object": "file:2"}},
            {"request": {"subject": "bob@x.example", "relation": "viewer", "object": "file:1"}},
            {"request": {"object": "file:2"}},
            {"request": "file:1"},
            {"object": "file:2"},
            {"relation": "owner"},
        ],
    )
    def test_an_error_or_another_check_beside_the_decision_is_no_decision(
        self, client_of: ClientOf, beside: dict[str, Any]
    ) -> None:
        client = client_of.answering(json={"allowed": True, **beside}, api="projects")

        with pytest.raises(ResponseFormatError):
            client.check_access(ALICE, "viewer", "file:1")

    @pytest.mark.parametrize(
        "beside",
        [
            {"error": None},
            {"request": None},
            {"request": {"subject": ALICE, "relation": "viewer", "object": "file:1"}},
            {"object": "file:1", "resolution": "direct"},
        ],
    )
    def test_the_same_check_beside_it_is_fine(
        self, client_of: ClientOf, beside: dict[str, Any]
    ) -> None:
        client = client_of.answering(json={"allowed": True, **beside}, api="projects")

        assert client.check_access(ALICE, "viewer", "file:1") is True

    @pytest.mark.parametrize(
        "beside", [{"error": "x"}, {"request": {"object": TWO}}, {"user": "user:bob@x.example"}]
    )
    def test_the_same_holds_for_the_hosted_api(
        self, client_of: ClientOf, beside: dict[str, Any]
    ) -> None:
        client = client_of.answering(json={"hasAccess": True, **beside}, api="hosted")

        with pytest.raises(ResponseFormatError):
            client.check_access(ALICE, "viewer", FIRST.object)


RECORDS = [ONE, TWO, THREE]


@settings(max_examples=draws(33), deadline=None)
@given(st.data())
def test_whatever_the_order_nobody_gets_the_decision_of_another_check(data: st.DataObject) -> None:
    truth = dict(zip(RECORDS, data.draw(st.tuples(*[st.booleans()] * 3)), strict=True))
    order = data.draw(st.sampled_from(list(permutations(RECORDS))))
    # What the answer claims to be about; at times not what was asked.
    claimed = [data.draw(st.sampled_from([each, each, each, *RECORDS])) for each in order]

    def handler(request: httpx.Request) -> httpx.Response:
        checks = {each["object"]: each for each in json.loads(request.content)["checks"]}
        results = [{"allowed": truth[claim], "request": checks[claim]} for claim in claimed]
        return httpx.Response(200, json={"result": results})

    client = ManagedSyncClient("p1", "t", api="hosted", transport=httpx.MockTransport(handler))
    objects = [f"file:{SYNC}/{record}" for record in RECORDS]
    try:
        allowed = AccessChecker(client).allowed(ALICE, objects)
    except AccessCheckError:
        assert sorted(claimed) != sorted(RECORDS)
    else:
        assert allowed == {f"file:{SYNC}/{record}" for record in RECORDS if truth[record]}
