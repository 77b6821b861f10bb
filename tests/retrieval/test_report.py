"""Reports are collected for the caller's own retrievals, and for nobody else's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from managed_sync import AccessChecker, CollectedReports, RetrievalReport, collect_reports
from managed_sync.errors import AccessCheckError, IncompleteRetrievalError
from tests.support.frameworks import ALICE, BOB, WAYS, Way
from tests.support.passages import files, passages_of
from tests.support.permission_service import FakePermissionService

PASSAGES = passages_of(*files(*range(8)))


def subjects(reports: list[RetrievalReport]) -> list[str]:
    return [report.subject for report in reports]


def retriever_of(
    way: Way, service: FakePermissionService | None = None, **settings: object
) -> object:
    checker = AccessChecker(service or FakePermissionService(*files(1, 2)))
    return way.retriever(way.shared_store(PASSAGES), checker, **settings)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_blocks_have_the_reports_of_what_they_surround_in_order(way: Way) -> None:
    retriever = retriever_of(way)
    way.ask(retriever, ALICE)
    with collect_reports() as outer:
        way.ask(retriever, ALICE)
        with collect_reports() as inner:
            found = way.ask(retriever, BOB)
        way.ask(retriever, ALICE)
    way.ask(retriever, BOB)
    assert subjects(outer) == [ALICE, BOB, ALICE]
    assert inner == [found.report]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_retrieval_that_fails_adds_none_and_leaves_no_block_open(way: Way) -> None:
    service = FakePermissionService(*files(1), fails_at=1)
    seen: list[list[RetrievalReport]] = []
    with pytest.raises(AccessCheckError), collect_reports() as reports:  # noqa: PT012
        seen.append(reports)
        way.ask(retriever_of(way, service))
    way.ask(retriever_of(way))
    assert seen == [[]]


def test_one_that_is_incomplete_carries_its_report_itself() -> None:
    (way, *_) = WAYS
    retriever = retriever_of(way, k=6, max_candidates=6, overfetch=1, raise_if_incomplete=True)
    with collect_reports() as reports:
        try:
            way.ask(retriever)
        except IncompleteRetrievalError as error:
            reports.append(error.report)
    assert [report.complete for report in reports] == [False]


def test_tasks_and_threads_of_other_users_add_none() -> None:
    way = WAYS[1]
    retriever = retriever_of(way)

    async def ask(user: str) -> list[str]:
        with collect_reports() as reports:
            for _ in range(3):
                await way.ask_in_task(retriever, user)
                await asyncio.sleep(0)
        return subjects(reports)

    async def ask_together() -> list[list[str]]:
        return list(await asyncio.gather(ask(ALICE), ask(BOB)))

    assert asyncio.run(ask_together()) == [[ALICE] * 3, [BOB] * 3]
    with ThreadPoolExecutor() as threads, collect_reports() as reports:
        assert threads.submit(asyncio.run, ask(BOB)).result() == [BOB] * 3
    assert reports == []


def test_without_a_report_nothing_is_known_to_be_complete() -> None:
    way = WAYS[0]
    with collect_reports() as reports:
        assert not reports.complete
        way.ask(retriever_of(way, k=8))
    assert reports.complete


def test_a_generator_does_not_collect_what_its_reader_retrieves() -> None:
    way = WAYS[0]
    retriever = retriever_of(way, k=8)

    def stream() -> Iterator[CollectedReports]:
        with collect_reports() as reports:
            for _ in range(2):
                way.ask(retriever, ALICE)
                yield reports

    stopped = stream()
    reports = next(stopped)
    assert reports.complete
    way.ask(retriever, BOB)
    next(stopped)
    assert subjects(reports) == [ALICE, ALICE]
    # It could have been in a task or thread that the generator had started.
    assert not reports.complete
    # Ended elsewhere, it leaves its block behind in this context.
    copy_context().run(stopped.close)
    way.ask(retriever, BOB)
    assert subjects(reports) == [ALICE, ALICE]


def test_an_asynchronous_generator_collects_what_it_awaits() -> None:
    way = WAYS[1]
    retriever = retriever_of(way)

    async def stream() -> AsyncGenerator[CollectedReports]:
        with collect_reports() as reports:
            await way.ask_in_task(retriever, ALICE)
            yield reports

    async def read() -> list[str]:
        stopped = stream()
        reports = await anext(stopped)
        await way.ask_in_task(retriever, BOB)
        await stopped.aclose()
        return subjects(reports)

    assert asyncio.run(read()) == [ALICE]
