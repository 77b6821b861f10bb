"""Permissions that change in the middle of a retrieval: each check holds as of when it was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from managed_sync import AccessChecker
from managed_sync.retrieval.effects import Strategy
from tests.support.frameworks import ALICE, Way
from tests.support.passages import Passage, Ranking, files, passages_of
from tests.support.permission_service import FakePermissionService

READABLE = files(3, 30, 45, 59)


class Telling(Ranking):
    """Says when a search is over."""

    after: Callable[[], None] = staticmethod(lambda: None)

    def search(self, limit: int, is_wanted: Callable[[Passage], bool]) -> list[Passage]:
        found = super().search(limit, is_wanted)
        self.after()
        return found


@pytest.fixture
def service() -> FakePermissionService:
    return FakePermissionService(alice=READABLE)


@pytest.fixture
def ranking() -> Telling:
    return Telling(passages_of(*files(*range(60))))


def revoke(service: FakePermissionService, *object_ids: str) -> None:
    service.grants[ALICE] -= set(object_ids)


def grant(service: FakePermissionService, *object_ids: str) -> None:
    service.grants[ALICE] |= set(object_ids)


def retriever_over(
    way: Way,
    ranking: Ranking,
    service: FakePermissionService,
    strategy: Strategy,
    **checker_settings: Any,
) -> Any:
    checker = AccessChecker(service, **checker_settings)
    return way.retriever(way.store_over(ranking), checker, k=3, strategy=strategy)


class TestARevocation:
    def test_between_search_and_check_holds(
        self, way: Way, strategy: Strategy, ranking: Telling, service: FakePermissionService
    ) -> None:
        ranking.after = lambda: revoke(service, "file:3")

        found = way.ask(retriever_over(way, ranking, service, strategy))

        assert found.object_ids == files(30, 45, 59)

    @pytest.mark.parametrize("strategy", ["auto", "pre_filter"])
    def test_between_list_and_check_holds(
        self, way: Way, strategy: Strategy, ranking: Telling, service: FakePermissionService
    ) -> None:
        def after_the_list(method: str) -> None:
            if method == "list_objects":
                revoke(service, "file:30", "file:45")

        service.after = after_the_list

        found = way.ask(retriever_over(way, ranking, service, strategy))

        assert "list_objects" in service.requests
        assert found.object_ids == files(3, 59)

    def test_of_everything_between_search_and_check_leaves_nothing(
        self, way: Way, strategy: Strategy, ranking: Telling, service: FakePermissionService
    ) -> None:
        ranking.after = lambda: revoke(service, *READABLE)

        assert way.ask(retriever_over(way, ranking, service, strategy)).object_ids == []

    def test_between_two_checks_holds_for_all_that_are_checked_later(
        self, way: Way, ranking: Telling, service: FakePermissionService
    ) -> None:
        service.after = lambda _: revoke(service, "file:30", "file:59")

        found = way.ask(retriever_over(way, ranking, service, "post_filter"))

        assert service.requests.count("batch_check_access") > 1
        assert found.object_ids == files(3, 45)

    def test_after_a_check_holds_from_the_next_question(
        self, way: Way, strategy: Strategy, ranking: Telling, service: FakePermissionService
    ) -> None:
        retriever = retriever_over(way, ranking, service, strategy)
        service.after = lambda method: (
            revoke(service, "file:3") if method == "batch_check_access" else None
        )

        first = way.ask(retriever)
        second = way.ask(retriever)

        assert set(first.object_ids) <= set(READABLE)
        assert second.object_ids == files(30, 45, 59)

    def test_holds_though_a_kept_list_says_otherwise(
        self, way: Way, ranking: Telling, service: FakePermissionService
    ) -> None:
        for strategy in ("auto", "pre_filter"):
            service.grants[ALICE] = set(READABLE)
            retriever = retriever_over(way, ranking, service, strategy, scope_ttl=60)
            assert way.ask(retriever).object_ids == READABLE[:3]
            revoke(service, "file:3", "file:45")
            service.requests.clear()

            found = way.ask(retriever)

            assert found.object_ids == files(30, 59)
            assert "list_objects" not in service.requests

    def test_goes_unnoticed_for_as_long_as_the_caller_allowed_and_no_longer(
        self, way: Way, strategy: Strategy, ranking: Telling, service: FakePermissionService
    ) -> None:
        now = 100.0
        retriever = retriever_over(way, ranking, service, strategy, allow_ttl=10, clock=lambda: now)
        assert way.ask(retriever).object_ids == READABLE[:3]
        revoke(service, *READABLE)

        now = 109.9
        assert set(way.ask(retriever).object_ids) <= set(READABLE[:3])
        now = 110.0
        assert way.ask(retriever).object_ids == []

    def test_while_a_slow_check_is_answered_is_not_kept_for_longer(
        self, way: Way, service: FakePermissionService
    ) -> None:
        now = 100.0

        def take_long(_: str) -> None:
            nonlocal now
            now += 10

        service.after = take_long
        # Few enough for one check, so that no other one lets the time pass.
        ranking = Telling(passages_of(*READABLE))
        retriever = retriever_over(
            way, ranking, service, "post_filter", allow_ttl=10, clock=lambda: now
        )
        way.ask(retriever)
        revoke(service, *READABLE)

        assert way.ask(retriever).object_ids == []

    def test_of_a_denial_that_was_kept_is_no_allowance(
        self, way: Way, strategy: Strategy, ranking: Telling, service: FakePermissionService
    ) -> None:
        retriever = retriever_over(way, ranking, service, strategy, deny_ttl=60)
        assert way.ask(retriever).object_ids == READABLE[:3]
        revoke(service, *READABLE)

        assert way.ask(retriever).object_ids == []


class TestAGrant:
    def test_between_search_and_check_is_used(
        self, way: Way, ranking: Telling, service: FakePermissionService
    ) -> None:
        for strategy in ("auto", "post_filter"):
            service.grants[ALICE] = set(READABLE)
            ranking.after = lambda: grant(service, "file:0")

            found = way.ask(retriever_over(way, ranking, service, strategy))

            assert found.object_ids == files(0, 3, 30)

    def test_between_list_and_check_is_found_by_the_next_question(
        self, way: Way, ranking: Telling, service: FakePermissionService
    ) -> None:
        service.after = lambda method: (
            grant(service, "file:0") if method == "list_objects" else None
        )
        retriever = retriever_over(way, ranking, service, "pre_filter")

        assert way.ask(retriever).object_ids == files(3, 30, 45)
        assert way.ask(retriever).object_ids == files(0, 3, 30)

    def test_between_two_checks_gives_nothing_that_was_denied_before(
        self, way: Way, ranking: Telling, service: FakePermissionService
    ) -> None:
        service.after = lambda _: grant(service, "file:0", "file:40")

        found = way.ask(retriever_over(way, ranking, service, "post_filter"))

        assert found.object_ids == files(3, 30, 40)

    def test_to_another_user_changes_nothing(
        self, way: Way, strategy: Strategy, ranking: Telling, service: FakePermissionService
    ) -> None:
        ranking.after = lambda: service.grants.update({"bob@x.example": set(files(0, 1, 2))})

        found = way.ask(retriever_over(way, ranking, service, strategy))

        assert found.object_ids == READABLE[:3]
