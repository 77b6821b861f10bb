"""Tokens from a callable: kept, renewed in time and after a 401, by one request at a time."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import SecretStr

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.client.credentials import CallableTokens
from managed_sync.client.settings import Settings
from managed_sync.errors import AuthenticationError, CredentialsError
from tests.support.clients import ClientOf, FakeClock

RECORD = {"id": "s1/r1", "integration": "box", "syncType": "files"}


@pytest.fixture(params=["projects", "hosted"])
def api(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def jwt_until(expires_at: float) -> str:
    def part(content: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({'alg': 'RS256'})}.{part({'exp': expires_at})}.c2lnbmF0dXJl"


class Issuer:
    """Gives numbered tokens."""

    def __init__(self, make: Callable[[int], str] = "token-{}".format) -> None:
        self.asked = 0
        self._make = make

    def __call__(self) -> str:
        self.asked += 1
        return self._make(self.asked)


class Api:
    """Accepts one token."""

    def __init__(self, accepted: str = "token-1") -> None:
        self.accepted = accepted
        self.seen: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request.headers["Authorization"].removeprefix("Bearer "))
        return httpx.Response(200 if self.seen[-1] == self.accepted else 401, json=RECORD)


class TestRenewal:
    def test_a_token_is_kept_as_long_as_the_api_takes_it(self, client_of: ClientOf) -> None:
        issuer, api = Issuer(), Api()
        client = client_of(api, token=issuer)

        for _ in range(3):
            client.get_record("s1/r1")

        assert issuer.asked == 1

    def test_after_a_401_there_is_a_new_one_for_the_same_request(self, client_of: ClientOf) -> None:
        issuer, api = Issuer(), Api("token-2")

        assert client_of(api, token=issuer).get_record("s1/r1").id == "s1/r1"
        assert api.seen == ["token-1", "token-2"]

    def test_content_gets_a_new_one_too(self, client_of: ClientOf) -> None:
        api = Api("token-2")

        assert client_of(api, token=Issuer()).download_content("s1/r1").data

    def test_a_second_401_is_an_error(self, client_of: ClientOf) -> None:
        issuer, api = Issuer(), Api("another")

        with pytest.raises(AuthenticationError):
            client_of(api, token=issuer).get_record("s1/r1")

        assert api.seen == ["token-1", "token-2"]

    def test_the_same_token_again_is_not_sent_again(self, client_of: ClientOf) -> None:
        api = Api("another")

        with pytest.raises(AuthenticationError):
            client_of(api, token=lambda: "always").get_record("s1/r1")

        assert api.seen == ["always"]

    def test_a_fixed_token_is_not_sent_again(self, client_of: ClientOf) -> None:
        api = Api("another")

        with pytest.raises(AuthenticationError):
            client_of(api, token="always").get_record("s1/r1")

        assert api.seen == ["always"]

    def test_a_jwt_is_renewed_a_minute_before_it_expires(self, client_of: ClientOf) -> None:
        clock = client_of.clock
        issuer = Issuer(lambda _: jwt_until(clock.now + 3600))
        client = client_of(lambda _: httpx.Response(200, json=RECORD), token=issuer)

        client.get_record("s1/r1")
        clock.now += 3539
        client.get_record("s1/r1")
        assert issuer.asked == 1

        clock.now += 1
        client.get_record("s1/r1")
        assert issuer.asked == 2

    @pytest.mark.parametrize("lifetime", [30, 1])
    def test_a_brief_one_is_still_used_more_than_once(
        self, client_of: ClientOf, lifetime: int
    ) -> None:
        clock = client_of.clock
        issuer = Issuer(lambda _: jwt_until(clock.now + lifetime))
        client = client_of(lambda _: httpx.Response(200, json=RECORD), token=issuer)

        client.get_record("s1/r1")
        client.get_record("s1/r1")
        assert issuer.asked == 1

    @pytest.mark.parametrize("token", ["a.b.c", "a.bm90IGpzb24.c", "a.eyJleHAiOiAieCJ9.c", "x"])
    def test_what_only_looks_like_a_jwt_is_kept(self, client_of: ClientOf, token: str) -> None:
        issuer = Issuer(lambda _: token)
        client = client_of(Api(token), token=issuer)

        client.get_record("s1/r1")
        client_of.clock.now += 1e6
        client.get_record("s1/r1")

        assert issuer.asked == 1


class TestKinds:
    def test_a_secret_is_a_token_too(self, client_of: ClientOf) -> None:
        assert client_of(Api(), token=SecretStr("token-1")).get_record("s1/r1")
        assert client_of(Api(), token=lambda: SecretStr("token-1")).get_record("s1/r1")

    def test_a_coroutine_function_is_awaited(self) -> None:
        async def issue() -> str:
            await asyncio.sleep(0)
            return "token-1"

        async def ask() -> str:
            transport = httpx.MockTransport(Api())
            async with AsyncManagedSyncClient("p1", issue, transport=transport) as client:
                return (await client.get_record("s1/r1")).id

        assert asyncio.run(ask()) == "s1/r1"

    def test_a_synchronous_client_says_that_it_cannot_await(self) -> None:
        async def issue() -> str:
            return "token-1"

        client = ManagedSyncClient("p1", issue, transport=httpx.MockTransport(Api()))  # type: ignore[arg-type]

        with pytest.raises(CredentialsError, match="AsyncManagedSyncClient"):
            client.get_record("s1/r1")


class TestFailure:
    @pytest.mark.parametrize("given", ["", "two words", "line\nbreak", None, 7])
    def test_what_is_no_token_is_refused_without_showing_it(
        self, client_of: ClientOf, given: object
    ) -> None:
        with pytest.raises(CredentialsError, match="must return a non-empty str") as caught:
            client_of(Api(), token=lambda: given).get_record("s1/r1")

        assert not given or str(given) not in str(caught.value)

    def test_an_error_of_the_callable_is_the_cause_and_its_words_are_left_out(
        self, client_of: ClientOf
    ) -> None:
        def fail() -> str:
            raise ValueError("the password hunter2 is wrong")

        with pytest.raises(CredentialsError, match="ValueError") as caught:
            client_of(Api(), token=fail).get_record("s1/r1")

        assert "hunter2" not in str(caught.value)
        assert isinstance(caught.value.__cause__, ValueError)

    def test_the_next_request_asks_again(self, client_of: ClientOf) -> None:
        answers: Iterator[ValueError | str] = iter([ValueError("down"), "token-1"])

        def issue() -> str:
            answer = next(answers)
            if isinstance(answer, str):
                return answer
            raise answer

        client = client_of(Api(), token=issue)
        with pytest.raises(CredentialsError):
            client.get_record("s1/r1")

        assert client.get_record("s1/r1").id == "s1/r1"


class TestManyAtOnce:
    def test_threads_share_one_refresh(self) -> None:
        waiting = threading.Barrier(9)
        asked: list[int] = []

        def issue() -> str:
            asked.append(1)
            time.sleep(0.05)
            return "token-1"

        tokens = CallableTokens(issue)

        def get() -> SecretStr:
            waiting.wait()
            return tokens.get()

        with ThreadPoolExecutor(8) as pool:
            results = [pool.submit(get) for _ in range(8)]
            waiting.wait()

        assert {each.result().get_secret_value() for each in results} == {"token-1"}
        assert len(asked) == 1

    def test_threads_share_one_failure_each_with_an_error_of_its_own(self) -> None:
        waiting, about_to_ask = threading.Barrier(9), threading.Semaphore(0)
        asked: list[int] = []

        def issue() -> str:
            asked.append(1)
            for _ in range(8):
                assert about_to_ask.acquire(timeout=60)
            time.sleep(0.1)
            raise ValueError("down")

        tokens = CallableTokens(issue)

        def get() -> BaseException | None:
            waiting.wait()
            about_to_ask.release()
            try:
                tokens.get()
            except CredentialsError as error:
                return error
            return None

        with ThreadPoolExecutor(8) as pool:
            results = [pool.submit(get) for _ in range(8)]
            waiting.wait()

        errors = [each.result() for each in results]
        assert len({id(error) for error in errors}) == 8
        assert len(asked) == 1

    @pytest.mark.parametrize("is_coroutine", [True, False])
    def test_tasks_share_one_refresh_after_a_401(self, is_coroutine: bool) -> None:
        asked: list[int] = []

        def issue() -> str:
            asked.append(1)
            return f"token-{len(asked)}"

        async def issue_later() -> str:
            await asyncio.sleep(0.01)
            return issue()

        async def ask() -> None:
            transport = httpx.MockTransport(Api("token-2"))
            async with AsyncManagedSyncClient(
                "p1", issue_later if is_coroutine else issue, transport=transport
            ) as client:
                await asyncio.gather(*(client.get_record("s1/r1") for _ in range(20)))

        asyncio.run(ask())

        assert len(asked) == 2

    def test_whoever_is_cancelled_does_not_stop_the_refresh_of_the_others(self) -> None:
        async def issue() -> str:
            await asyncio.sleep(0.02)
            return "token-1"

        async def ask() -> str:
            tokens = CallableTokens(issue, FakeClock())
            first = asyncio.create_task(tokens.aget())
            second = asyncio.create_task(tokens.aget())
            await asyncio.sleep(0)
            first.cancel()
            return (await second).get_secret_value()

        assert asyncio.run(ask()) == "token-1"


class TestEnvironment:
    @pytest.fixture(autouse=True)
    def _nothing_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for prefix in ("MANAGED_SYNC_", "PARAGON_"):
            for name in ("BASE_URL", "PROJECT_ID", "TOKEN", "SIGNING_KEY", "USER_ID", "API"):
                monkeypatch.delenv(f"{prefix}{name}", raising=False)

    def test_paragons_own_names_are_understood(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PARAGON_PROJECT_ID", "p1")
        monkeypatch.setenv("PARAGON_SIGNING_KEY", "key")
        monkeypatch.setenv("PARAGON_USER_ID", "u1")

        settings = Settings.from_env()

        assert (settings.project_id, settings.user_id) == ("p1", "u1")
        assert settings.signing_key == SecretStr("key")

    def test_this_packages_own_names_go_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PARAGON_PROJECT_ID", "theirs")
        monkeypatch.setenv("MANAGED_SYNC_PROJECT_ID", "ours")
        monkeypatch.setenv("PARAGON_TOKEN", "theirs")
        monkeypatch.setenv("MANAGED_SYNC_TOKEN", "")

        settings = Settings.from_env()

        assert settings.project_id == "ours"
        assert settings.token == SecretStr("theirs")
