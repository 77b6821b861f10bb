"""A store that misbehaves: it may lose passages, and never shows one that was not allowed."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import Any

import pytest

from managed_sync import AccessChecker
from managed_sync.errors import AccessCheckError, InvalidIdentifierError, StoreSearchError
from managed_sync.retrieval import CustomObjectFilter
from managed_sync.retrieval.effects import Strategy
from tests.support.frameworks import LangChain, Way
from tests.support.passages import Passage, Ranking, files, passages_of
from tests.support.permission_service import FakePermissionService, http_client

IsWanted = Callable[[Passage], bool]
READABLE = files(3, 30, 45, 59)
WITHHELD_TEXTS = {f"passage {n}" for n in range(60) if f"file:{n}" not in READABLE}


@pytest.fixture
def service() -> FakePermissionService:
    return FakePermissionService(alice=READABLE)


def retriever_over(
    way: Way, ranking: Ranking, service: FakePermissionService, strategy: Strategy, **settings: Any
) -> Any:
    checker = AccessChecker(service, list_limit=None)
    return way.retriever(
        way.store_over(ranking), checker, **{"k": 3, "strategy": strategy, **settings}
    )


class TestIds:
    def test_passages_without_ids_of_their_own_are_all_returned(
        self, way: Way, service: FakePermissionService, strategy: Strategy
    ) -> None:
        ranking = Ranking([Passage(f"passage {n}", "file:3", score=1 - n / 10) for n in range(3)])

        found = way.ask(retriever_over(way, ranking, service, strategy))

        assert found.texts == ["passage 0", "passage 1", "passage 2"]

    @pytest.mark.parametrize("chunk_id", [7, 7.5, True, ["c"], {"c": 1}])
    def test_ids_of_passages_that_are_no_strings_do_no_harm(
        self, service: FakePermissionService, strategy: Strategy, chunk_id: Any
    ) -> None:
        way = LangChain(asynchronous=False)
        ranking = Ranking(
            [
                Passage("one", "file:1", chunk_id, 0.9),
                Passage("two", "file:3", chunk_id, 0.8),
                Passage("three", "file:3", chunk_id, 0.7),
            ]
        )

        found = way.ask(retriever_over(way, ranking, service, strategy))

        assert found.texts == ["two", "three"]

    @pytest.mark.sampled(7)
    @pytest.mark.parametrize(
        "object_id",
        [None, "", 3, 3.0, True, False, ["file:3"], {"file:3": True}, ("file:3",), b"file:3"],
        ids=repr,
    )
    def test_an_object_id_that_is_no_string_is_nobodys(
        self, way: Way, strategy: Strategy, object_id: Any
    ) -> None:
        service = FakePermissionService(alice=[*READABLE, "None", "3", "True"])
        ranking = Ranking(
            [Passage("passage", object_id, "chunk-0", 1.0), *passages_of(*files(*range(60)))[1:]]
        )

        found = way.ask(retriever_over(way, ranking, service, strategy))

        assert found.object_ids == READABLE[:3]
        assert all(each.startswith("file:") for each in service.checked)

    @pytest.mark.sampled(5)
    @pytest.mark.parametrize(
        "object_id",
        [
            *("file:3 ", " file:3", "FILE:3", "file:03", "file:3\n", "file:3\x00", "file:\u200b3"),
            *("file:\uff13", "file:3/../3", "3", "file:*", "*", ":", "file:3,file:4"),
        ],
    )
    def test_an_object_id_that_looks_like_a_readable_one_is_not_it(
        self, way: Way, service: FakePermissionService, strategy: Strategy, object_id: str
    ) -> None:
        ranking = Ranking([Passage("passage", object_id, "chunk", 1.0)])

        assert way.ask(retriever_over(way, ranking, service, strategy)).texts == []

    def test_an_object_id_that_no_request_can_carry_spoils_no_other(
        self, way: Way, strategy: Strategy
    ) -> None:
        broken = "file:\ud800"
        service = FakePermissionService(alice=READABLE)
        ranking = Ranking(passages_of(broken, *READABLE))

        with http_client(service) as client:
            retriever = way.retriever(
                way.store_over(ranking), AccessChecker(client), k=3, strategy=strategy
            )
            assert way.ask(retriever).object_ids == READABLE[:3]


class TestAnotherProject:
    PASSAGES = passages_of("file:of-another-project", *READABLE)

    def test_its_passages_are_not_returned(
        self, way: Way, service: FakePermissionService, strategy: Strategy
    ) -> None:
        found = way.ask(retriever_over(way, Ranking(self.PASSAGES), service, strategy, k=9))

        assert found.object_ids == READABLE

    def test_a_service_that_refuses_to_decide_on_them_decides_on_nothing(self, way: Way) -> None:
        service = FakePermissionService(alice=READABLE)

        def refuse(_: str) -> None:
            raise InvalidIdentifierError("There is no such object in this project.")

        service.before = refuse
        with pytest.raises(AccessCheckError):
            way.ask(retriever_over(way, Ranking(self.PASSAGES), service, "post_filter"))


class TestDuplicates:
    def test_a_passage_that_comes_twice_is_returned_once(
        self, way: Way, service: FakePermissionService, strategy: Strategy
    ) -> None:
        passages = passages_of(*files(*range(60)))
        ranking = Ranking([passage for passage in passages for _ in range(3)])

        found = way.ask(retriever_over(way, ranking, service, strategy, k=4))

        assert found.object_ids == READABLE

    def test_a_forbidden_passage_does_not_hide_an_allowed_one_of_the_same_id(
        self, service: FakePermissionService, strategy: Strategy
    ) -> None:
        # Ids such as "0", "1", … are common; LlamaIndex makes them unique itself.
        way = LangChain(asynchronous=False)
        ranking = Ranking(
            [Passage("forbidden", "file:1", "0", 0.9), Passage("allowed", "file:3", "0", 0.8)]
        )

        found = way.ask(retriever_over(way, ranking, service, strategy))

        assert found.texts == ["allowed"]

    def test_an_allowed_passage_does_not_open_a_forbidden_one_of_the_same_id(
        self, way: Way, service: FakePermissionService, strategy: Strategy
    ) -> None:
        ranking = Ranking(
            [Passage("allowed", "file:3", "0", 0.9), Passage("forbidden", "file:1", "0", 0.8)]
        )

        found = way.ask(retriever_over(way, ranking, service, strategy))

        assert found.texts == ["allowed"]


class TooMany(Ranking):
    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        return super().search(10 * limit + 7, is_wanted)


class TooFew(Ranking):
    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        return super().search(min(limit, 7), is_wanted)


class EverChanging(Ranking):
    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        random.Random(self.searches).shuffle(self.passages)
        return super().search(limit, is_wanted)


class OnceOnly(Ranking):
    """Nothing that was found is found again."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        found = super().search(limit, is_wanted)
        self.passages = [passage for passage in self.passages if passage not in found]
        return found


class Renaming(Ranking):
    """Each search gives the texts to other objects, under the same chunk ids."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        objects = [passage.object_id for passage in self.passages]
        self.passages = [
            Passage(passage.text, object_id, passage.chunk_id, passage.score)
            for passage, object_id in zip(self.passages, objects[1:] + objects[:1], strict=True)
        ]
        return super().search(limit, is_wanted)


class IgnoringFilters(Ranking):
    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        return super().search(limit, lambda _: True)


class WithOneMore(Ranking):
    """Adds the best passage to whatever the filter leaves."""

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        return [self.passages[0], *super().search(limit, is_wanted)][:limit]


class OthersOnly(Ranking):
    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        return super().search(limit, lambda passage: not is_wanted(passage))


class WithoutScores(Ranking):
    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        found = super().search(limit, is_wanted)
        return [Passage(each.text, each.object_id, each.chunk_id, float("nan")) for each in found]


MISBEHAVIOURS = [
    TooMany,
    TooFew,
    EverChanging,
    OnceOnly,
    Renaming,
    IgnoringFilters,
    WithOneMore,
    OthersOnly,
    WithoutScores,
]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("kind", MISBEHAVIOURS)
@pytest.mark.parametrize("overfetch", [1, 5])
def test_whatever_a_store_does_only_allowed_passages_come_back(
    way: Way,
    service: FakePermissionService,
    strategy: Strategy,
    kind: type[Ranking],
    overfetch: int,
) -> None:
    ranking = kind(passages_of(*files(*range(60))))

    found = way.ask(retriever_over(way, ranking, service, strategy, overfetch=overfetch))

    assert set(found.object_ids) <= set(READABLE)
    assert len(found.texts) == len(set(found.texts)) <= 3
    assert set(found.object_ids) <= set(service.checked)
    if kind is not Renaming:
        assert not WITHHELD_TEXTS & set(found.texts)


def test_a_store_that_gives_too_many_loses_nothing(
    way: Way, service: FakePermissionService, strategy: Strategy
) -> None:
    ranking = TooMany(passages_of(*files(*range(60))))

    assert way.ask(retriever_over(way, ranking, service, strategy)).object_ids == READABLE[:3]


@pytest.mark.parametrize("kind", [IgnoringFilters, WithOneMore])
def test_a_store_that_goes_outside_its_filter_is_named(
    way: Way, service: FakePermissionService, kind: type[Ranking], caplog: pytest.LogCaptureFixture
) -> None:
    ranking = kind(passages_of(*files(*range(60))))

    with caplog.at_level(logging.WARNING):
        found = way.ask(retriever_over(way, ranking, service, "pre_filter"))

    assert found.report.filter_ignored
    assert not found.report.complete
    assert "Ranked" in caplog.text
    assert "passage 0" not in caplog.text
    assert "file:0" not in caplog.text


@pytest.mark.parametrize("kind", [Ranking, IgnoringFilters])
def test_a_kept_list_and_a_filter_that_is_not_exact_come_to_an_end(
    service: FakePermissionService, kind: type[Ranking]
) -> None:
    way = LangChain(asynchronous=False)
    by_object = CustomObjectFilter(
        lambda ids: {"filter": lambda document: document.metadata["object_id"] in ids}
    )
    retriever = way.retriever(
        way.store_over(kind(passages_of(*files(*range(60))))),
        AccessChecker(service, scope_ttl=60),
        k=6,
        object_filter=by_object,
    )

    for _ in range(2):
        found = way.ask(retriever)
        assert found.object_ids == READABLE
        assert not found.report.complete


class StoreDownError(Exception):
    pass


class FailingLater(Ranking):
    fails_at = 2

    def search(self, limit: int, is_wanted: IsWanted) -> list[Passage]:
        found = super().search(limit, is_wanted)
        if self.searches == self.fails_at:
            raise StoreDownError
        return found


def test_a_store_that_fails_in_the_second_search_gives_nothing_and_is_asked_anew_next_time(
    way: Way, service: FakePermissionService, strategy: Strategy
) -> None:
    ranking = FailingLater(passages_of(*files(*range(60))))
    ranking.fails_at = 1 if strategy == "pre_filter" else 2
    retriever = retriever_over(way, ranking, service, strategy)

    with pytest.raises(StoreSearchError, match="StoreDownError"):
        way.ask(retriever)

    assert way.ask(retriever).object_ids == READABLE[:3]


@pytest.mark.parametrize("falling", [True, False], ids=["similarities", "distances"])
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("strategy", ["auto", "pre_filter"])
def test_a_list_that_is_searched_in_parts_gives_the_best_of_all_parts(
    service: FakePermissionService, strategy: Strategy, falling: bool, k: int
) -> None:
    way = LangChain(asynchronous=False)
    passages = [
        Passage(f"passage {n}", f"file:{n}", f"chunk-{n}", 1 - n / 100 if falling else n / 100)
        for n in range(60)
    ]
    # A filter that takes one id at a time.
    by_object = CustomObjectFilter(
        lambda ids: {"filter": lambda document: document.metadata["object_id"] in ids},
        max_objects=1,
        exact=True,
    )
    retriever = retriever_over(
        way, Ranking(passages), service, strategy, k=k, object_filter=by_object
    )

    found = way.ask(retriever)

    assert found.object_ids == READABLE[:k]
    assert found.report.complete


def test_what_one_part_of_a_list_has_left_is_not_passed_over_for_another_part() -> None:
    way = LangChain(asynchronous=False)
    service = FakePermissionService(alice=files(1, 2, 3))
    # The two best of the first part are of one object, and hide its third.
    passages = passages_of(*files(1, 1, 2, 3))
    by_object = CustomObjectFilter(
        lambda ids: {"filter": lambda document: document.metadata["object_id"] in ids},
        max_objects=2,
        exact=True,
    )
    retriever = retriever_over(
        way,
        Ranking(passages),
        service,
        "pre_filter",
        k=2,
        max_per_object=1,
        object_filter=by_object,
    )

    found = way.ask(retriever)

    assert found.object_ids == files(1, 2) or not found.report.complete
