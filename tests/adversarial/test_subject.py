"""For whom: a subject that is missing, malformed, or only looks like another one."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

import pytest

from managed_sync import AccessChecker, acting_as
from managed_sync.errors import ConfigurationError, InvalidIdentifierError, MissingSubjectError
from managed_sync.retrieval.effects import Strategy
from tests.support.frameworks import ALICE, BOB, QUESTION, LangChain, Way
from tests.support.passages import files, passages_of
from tests.support.permission_service import FakePermissionService, http_client

PASSAGES = passages_of(*files(*range(20)))
MISSING: list[Any] = [None, "", " ", "\t\n", "\u00a0", "\u2003"]
MALFORMED: list[Any] = [
    *(7, 0, False, True, 1.5, b"alice@x.example", [ALICE], {"subject": ALICE}, ...),
    *("alice@x.example\x00", "alice@x.example\x00bob", "alice\x1b[0m@x.example", "\x7f" + ALICE),
    *("alice@x.example\nbob@x.example", "alice@x.example\r\nX-Subject: bob@x.example"),
    *("alice @x.example", "alice\u00a0@x.example", "alice\u2028@x.example"),
    *("alice\u200b@x.example", "\ufeff" + ALICE, "alice\u2060@x.example", "al\u00adice@x.example"),
    *("\u202e" + ALICE, "alice\ud800@x.example", "alice\ue000@x.example"),
    # A retrieval is for one user; the permission service takes these for all of their members.
    *("group:sales", " Group:sales", "group:alice@x.example#member", "GROUP:"),
]


def by_argument(way: Way, retriever: Any, subject: Any) -> None:
    way.ask(retriever, subject)


def by_binding(way: Way, retriever: Any, subject: Any) -> None:
    retriever.for_subject(subject)


def by_acting_as(way: Way, retriever: Any, subject: Any) -> None:
    with acting_as(subject):
        retriever.invoke(QUESTION)


WAYS_TO_SAY = [by_argument, by_binding, by_acting_as]


def over_service(way: Way, service: FakePermissionService, **settings: Any) -> Any:
    return way.retriever(way.shared_store(PASSAGES), AccessChecker(service), **{"k": 3, **settings})


@pytest.mark.parametrize("subject", MISSING, ids=repr)
def test_a_missing_subject_raises_before_anything_is_searched_or_asked(
    way: Way, strategy: Strategy, subject: Any
) -> None:
    service = FakePermissionService(alice=files(1), bob=files(2))
    retriever = over_service(way, service, strategy=strategy)

    for say in WAYS_TO_SAY:
        with acting_as(BOB), pytest.raises(MissingSubjectError):
            say(way, retriever, subject)

    assert service.requests == []


@pytest.mark.sampled(3)
@pytest.mark.parametrize("subject", MALFORMED, ids=repr)
def test_a_malformed_subject_raises_before_anything_is_searched_or_asked(
    way: Way, subject: Any
) -> None:
    service = FakePermissionService(alice=files(1), bob=files(2))
    retriever = over_service(way, service)

    for say in WAYS_TO_SAY:
        with acting_as(BOB), pytest.raises(InvalidIdentifierError):
            say(way, retriever, subject)

    assert service.requests == []


@pytest.mark.sampled(3)
# LangChain's models read bytes as the text that they are.
@pytest.mark.parametrize(
    "subject", ["", " ", *(each for each in MALFORMED if not isinstance(each, bytes))], ids=repr
)
def test_a_retriever_cannot_be_made_for_a_malformed_subject(way: Way, subject: Any) -> None:
    # LangChain's models refuse another type with an error of their own, which is a ValueError.
    with pytest.raises((MissingSubjectError, ValueError)):
        over_service(way, FakePermissionService(alice=files(1)), bound_subject=subject)


@pytest.mark.parametrize("subject", [*MISSING, *MALFORMED], ids=repr)
def test_a_malformed_subject_in_the_config_raises_too(subject: Any) -> None:
    retriever = over_service(LangChain(asynchronous=False), FakePermissionService(alice=files(1)))
    config: Any = {"configurable": {"subject": subject}}

    with acting_as(BOB):
        with pytest.raises((MissingSubjectError, InvalidIdentifierError)):
            retriever.invoke(QUESTION, config=config)
        with pytest.raises((MissingSubjectError, InvalidIdentifierError)):
            asyncio.run(retriever.ainvoke(QUESTION, config=config))


def test_nobody_at_all_raises(way: Way, strategy: Strategy) -> None:
    service = FakePermissionService(alice=files(1))
    retriever = over_service(way, service, strategy=strategy)

    with pytest.raises(MissingSubjectError):
        retriever.retrieve_with_report(QUESTION)
    with pytest.raises(MissingSubjectError):
        asyncio.run(retriever.aretrieve_with_report(QUESTION))

    assert service.requests == []


@pytest.mark.parametrize("said", [f" {ALICE}", f"{ALICE} ", f"\t{ALICE}\n", f"\u00a0{ALICE}"])
def test_blanks_around_a_subject_do_not_make_another_one(way: Way, said: str) -> None:
    service = FakePermissionService(alice=files(1, 2))

    assert way.ask(over_service(way, service), said).object_ids == files(1, 2)
    assert set(service.asked_for) == {ALICE}


# Whether two spellings are one user is for the permission service to say; here they never are.
LOOK_ALIKES = [
    "Alice@x.example",
    "ALICE@X.EXAMPLE",
    "\uff41lice@x.example",
    "\u0430lice@x.example",
    "user:alice@x.example",
    "alice@x.example.",
    "alice%40x.example",
    "alice@x.example,bob@x.example",
    "*",
]


@pytest.mark.sampled(7)
@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
@pytest.mark.parametrize("ttl", [0, 60])
def test_a_look_alike_is_asked_about_as_itself_and_shares_no_kept_answer(
    way: Way, strategy: Strategy, look_alike: str, ttl: int
) -> None:
    service = FakePermissionService(alice=files(1, 2))
    checker = AccessChecker(service, allow_ttl=ttl, deny_ttl=ttl, scope_ttl=ttl)
    retriever = way.retriever(way.shared_store(PASSAGES), checker, k=3, strategy=strategy)

    assert way.ask(retriever, ALICE).object_ids == files(1, 2)
    service.asked_for.clear()
    assert way.ask(retriever, look_alike).object_ids == []
    assert set(service.asked_for) == {look_alike}
    assert way.ask(retriever, ALICE).object_ids == files(1, 2)


@pytest.mark.parametrize("ttl", [0, 60])
def test_a_name_is_not_normalised_on_its_way_to_the_service(way: Way, ttl: int) -> None:
    composed = "ren\u00e9@x.example"
    decomposed = unicodedata.normalize("NFD", composed)
    service = FakePermissionService(rené=files(1))
    service.grants[composed] = {"file:1"}
    service.grants[decomposed] = {"file:2"}

    with http_client(service) as client:
        checker = AccessChecker(client, allow_ttl=ttl, deny_ttl=ttl)
        retriever = way.retriever(way.shared_store(PASSAGES), checker, k=3)
        assert way.ask(retriever, composed).object_ids == files(1)
        assert way.ask(retriever, decomposed).object_ids == files(2)
        assert way.ask(retriever, composed).object_ids == files(1)


@pytest.mark.parametrize("look_alike", LOOK_ALIKES)
def test_a_bound_retriever_takes_a_look_alike_for_another_subject(
    way: Way, look_alike: str
) -> None:
    bound = over_service(way, FakePermissionService(alice=files(1))).for_subject(ALICE)

    with pytest.raises(ConfigurationError):
        way.ask(bound, look_alike)
