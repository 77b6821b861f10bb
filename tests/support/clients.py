"""Drives the synchronous and the asynchronous client alike, in time that a test decides."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import contextmanager
from typing import Any

import httpx

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from tests.support.hosted_translation import hosted_face

Handler = Callable[[httpx.Request], httpx.Response]

TOKEN = "secret-token-1"
BASE_URL = "http://api.test/base"


class FakeClock:
    """Time that passes only where somebody waits."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.waits: list[float] = []

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)
        await asyncio.sleep(0)


class Driven:
    """A client whose methods give results, also where they are to be awaited."""

    def __init__(
        self,
        client: ManagedSyncClient | AsyncManagedSyncClient,
        runner: asyncio.Runner,
        clock: FakeClock,
    ) -> None:
        self.client = client
        self.clock = clock
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.client, name)
        return self._called(member) if callable(member) else member

    def _called(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            result = method(*arguments, **keywords)
            if inspect.isawaitable(result):
                return self._runner.run(_awaited(result))
            if hasattr(result, "__anext__"):
                return self._each(result)
            if hasattr(result, "__aenter__"):
                return self._entered(result)
            return result

        return call

    def _each(self, items: AsyncIterator[Any]) -> Any:
        end = object()
        while (item := self._runner.run(_awaited(anext(items, end)))) is not end:
            yield item

    @contextmanager
    def _entered(self, context: Any) -> Any:
        inner = self._runner.run(_awaited(context.__aenter__()))
        try:
            yield _Parts(inner, self._each(aiter(inner)))
        finally:
            self._runner.run(_awaited(context.__aexit__(None, None, None)))


class _Parts:
    """An asynchronous stream as an ordinary one."""

    def __init__(self, stream: Any, parts: Any) -> None:
        self._stream = stream
        self._parts = parts

    def __iter__(self) -> Any:
        return self._parts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class ClientOf:
    """Makes clients of one kind, which send to a function."""

    def __init__(
        self, kind: type[ManagedSyncClient | AsyncManagedSyncClient], api: str = "projects"
    ) -> None:
        self.kind = kind
        self.api = api
        self.clock = FakeClock()
        self._runner = asyncio.Runner()

    @property
    def is_asynchronous(self) -> bool:
        return issubclass(self.kind, AsyncManagedSyncClient)

    def __call__(self, handler: Handler, **arguments: Any) -> Driven:
        settings: dict[str, Any] = {
            "token": TOKEN,
            "base_url": BASE_URL,
            "transport": httpx.MockTransport(
                hosted_face(handler) if self.api == "hosted" else handler
            ),
            "api": self.api,
            "clock": self.clock,
        }
        made = self.kind("p1", **(settings | arguments))
        return Driven(made, self._runner, self.clock)

    def answering(
        self,
        status: int = 200,
        *,
        api: str | None = None,
        retry_budget: float = 60,
        **response: Any,
    ) -> Driven:
        arguments: dict[str, Any] = {"retry_budget": retry_budget}
        if api is not None:
            arguments["api"] = api
        return self(lambda _: httpx.Response(status, **response), **arguments)

    def close(self) -> None:
        self._runner.close()


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
