"""All records of a listing: one page ahead, never more, and never a silent end."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx
import pytest

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.errors import ApiError, ResponseFormatError, ServerError
from tests.support.clients import ClientOf, FakeClock


@pytest.fixture(params=["projects", "hosted"])
def api(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def page(number: int, *, size: int = 2, last: int = 5) -> dict[str, Any]:
    records = [
        {"id": f"s1/{number}-{n}", "integration": "box", "syncType": "files"} for n in range(size)
    ]
    return {"records": records, "nextCursor": None if number == last else str(number + 1)}


def number_of(request: httpx.Request) -> int:
    return int(request.url.params.get("cursor", 1))


class Listing:
    def __init__(self, **pages: Any) -> None:
        self.asked: list[int] = []
        self.pages = {int(name.removeprefix("page")): answer for name, answer in pages.items()}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        number = number_of(request)
        self.asked.append(number)
        answer = self.pages.get(number, page(number))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, int):
            return httpx.Response(answer)
        return httpx.Response(200, json=answer)


def ids(client: Any) -> list[str]:
    return [record.id for record in client.iter_records("box", "files")]


ALL = [f"s1/{number}-{n}" for number in range(1, 6) for n in range(2)]


class TestAhead:
    def test_the_next_page_is_fetched_while_one_is_consumed_and_no_other(self) -> None:
        listing = Listing()
        with ManagedSyncClient("p1", "t", transport=httpx.MockTransport(listing)) as client:
            records = client.iter_records("box", "files")
            next(records)
            deadline = time.monotonic() + 60
            while len(listing.asked) < 2 and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(0.02)
            assert listing.asked == [1, 2]
            assert len(list(records)) == 9

    def test_a_caller_who_is_back_at_once_reads_the_next_page_in_his_own_thread(self) -> None:
        readers: list[str] = []

        def answer(request: httpx.Request) -> httpx.Response:
            readers.append(threading.current_thread().name)
            return httpx.Response(200, json=page(number_of(request)))

        clock = FakeClock()
        with ManagedSyncClient(
            "p1", "t", transport=httpx.MockTransport(answer), clock=clock
        ) as client:
            for record in client.iter_records("box", "files"):
                if record.id == "s1/3-1":
                    clock.now += 1

        own = threading.current_thread().name
        assert [reader == own for reader in readers] == [True, False, True, True, False]

    def test_tasks_do_the_same(self) -> None:
        listing = Listing()

        async def read() -> int:
            transport = httpx.MockTransport(listing)
            async with AsyncManagedSyncClient("p1", "t", transport=transport) as client:
                records = client.iter_records("box", "files")
                await anext(aiter(records))
                for _ in range(1000):
                    await asyncio.sleep(0)
                assert listing.asked == [1, 2]
                return len([record async for record in records])

        assert asyncio.run(read()) == 9

    def test_nothing_is_asked_before_the_first_record_is_wanted(self, client_of: ClientOf) -> None:
        listing = Listing()

        client_of(listing).iter_records("box", "files")

        assert listing.asked == []

    def test_whoever_stops_early_leaves_no_thread_behind(self) -> None:
        with ManagedSyncClient("p1", "t", transport=httpx.MockTransport(Listing())) as client:
            records = client.iter_records("box", "files")
            next(records)
            records.close()  # type: ignore[attr-defined]

        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and any(
            thread.name.startswith("managed-sync-pages") for thread in threading.enumerate()
        ):
            time.sleep(0.005)
        assert not [
            thread
            for thread in threading.enumerate()
            if thread.name.startswith("managed-sync-pages")
        ]


class TestOrder:
    def test_all_records_come_in_order_and_none_twice(self, client_of: ClientOf) -> None:
        assert ids(client_of(Listing())) == ALL

    def test_a_page_that_fails_is_asked_for_again(self, client_of: ClientOf) -> None:
        client = client_of(Listing(page3=[503, 429, page(3)]))

        assert ids(client) == ALL
        assert client.retry_count == 2

    def test_a_page_from_before_is_asked_for_again(self, client_of: ClientOf) -> None:
        client = client_of(Listing(page3=[page(2), page(3)]))

        assert ids(client) == ALL
        assert client.retry_count == 1

    def test_an_empty_page_with_a_cursor_is_asked_for_again(self, client_of: ClientOf) -> None:
        client = client_of(Listing(page2=[page(2, size=0), page(2)]))

        assert ids(client) == ALL
        assert client.retry_count == 1


class TestErrors:
    def test_the_records_before_an_error_are_handed_out_and_the_error_names_the_page(
        self, client_of: ClientOf
    ) -> None:
        records = client_of(Listing(page3=500), retry_budget=0).iter_records("box", "files")

        seen = [next(records).id for _ in range(4)]
        with pytest.raises(ServerError, match=r"Page 3 of the listing of box files") as caught:
            next(records)

        assert seen == ALL[:4]
        assert caught.value.status == 500

    @pytest.mark.parametrize("wrong", [{}, [], {"records": None}, {"records": [{"id": ""}]}])
    def test_a_page_of_the_wrong_shape_is_named(self, client_of: ClientOf, wrong: Any) -> None:
        listing = Listing()
        listing.pages[2] = [wrong] if isinstance(wrong, list) else wrong

        with pytest.raises(ApiError, match="Page 2"):
            ids(client_of(listing))

    @pytest.mark.parametrize("pages", [1, 3])
    def test_the_same_pages_under_ever_new_cursors_are_an_error_and_no_loop(
        self, client_of: ClientOf, pages: int
    ) -> None:
        def endless(request: httpx.Request) -> httpx.Response:
            number = number_of(request)
            body = page(number % pages)
            body["nextCursor"] = str(number + 1)
            return httpx.Response(200, json=body)

        with pytest.raises(ResponseFormatError, match=rf"does not end: page {21 + pages} and 20"):
            ids(client_of(endless))

    def test_a_record_that_changes_again_and_again_is_listed_each_time(
        self, client_of: ClientOf
    ) -> None:
        def changing(request: httpx.Request) -> httpx.Response:
            number = number_of(request)
            body = page(1, size=1)
            body["records"][0]["data"] = {"name": f"{number}.txt"}
            body["nextCursor"] = None if number == 40 else str(number + 1)
            return httpx.Response(200, json=body)

        assert len(ids(client_of(changing))) == 40

    def test_a_circle_is_named(self, client_of: ClientOf) -> None:
        with pytest.raises(ResponseFormatError, match=r"does not end: page 4 repeats"):
            ids(client_of(Listing(page4=page(1))))

    def test_a_page_that_stays_empty_with_a_cursor_is_an_error_that_names_it(
        self, client_of: ClientOf
    ) -> None:
        def handler(request: httpx.Request) -> httpx.Response:
            number = number_of(request)
            return httpx.Response(200, json=page(number, size=0 if number == 3 else 2))

        with pytest.raises(ResponseFormatError, match="page 3 has a cursor, but no items"):
            ids(client_of(handler))


class TestChanges:
    def test_they_come_page_by_page_from_the_cursor_on(self, client_of: ClientOf) -> None:
        listing = Listing()

        pages = list(client_of(listing).iter_changes("box", "files", "4"))

        assert [each.id for page in pages for each in page.records] == ALL[6:]
        assert listing.asked == [4, 5]

    def test_a_page_can_be_gone_on_from_only_where_cursors_are_made_to_be_kept(
        self, client_of: ClientOf, api: str
    ) -> None:
        pages = list(client_of(Listing()).iter_changes("box", "files", "4"))

        assert [page.resume_cursor for page in pages] == (
            ["s1/5", "s1/5"] if api == "hosted" else [None, None]
        )

    def test_a_kept_cursor_leads_to_the_same_page_as_the_one_that_followed(
        self, client_of: ClientOf
    ) -> None:
        client = client_of(Listing())
        first, *_ = client.iter_changes("box", "files")
        kept = first.resume_cursor or first.next_cursor

        rest = client.iter_changes("box", "files", kept)

        assert [each.id for page in rest for each in page.records] == ALL[2:]

    def test_a_circle_is_named_also_where_it_leads_to_the_cursor_that_was_kept(
        self, client_of: ClientOf
    ) -> None:
        listing = Listing(page5={**page(5), "nextCursor": "3"})

        with pytest.raises(ResponseFormatError, match="does not end: page 3 repeats"):
            list(client_of(listing).iter_changes("box", "files", "3"))

    def test_an_error_names_the_page_and_those_before_it_were_handed_out(
        self, client_of: ClientOf
    ) -> None:
        pages = client_of(Listing(page3=500), retry_budget=0).iter_changes("box", "files", "2")

        assert len(next(pages).records) == 2
        with pytest.raises(ServerError, match=r"Page 2 of the listing of box files"):
            next(pages)
