"""The two clients have the same methods, and one checker works with either."""

from __future__ import annotations

import asyncio
import doctest
import inspect
import json
from dataclasses import dataclass
from typing import Unpack, get_type_hints

import httpx
import pytest

from managed_sync import AccessCheck, AccessChecker, AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.client.options import AsyncClientOptions, ClientOptions
from managed_sync.errors import AccessCheckError, ConfigurationError
from tests.support.sample_company import Company

CLIENTS = [ManagedSyncClient, AsyncManagedSyncClient]
NAMES = sorted(name for name in dir(ManagedSyncClient) if not name.startswith("_"))
METHODS = [name for name in NAMES if callable(getattr(ManagedSyncClient, name))]


def test_both_clients_have_the_same_public_names() -> None:
    assert sorted(name for name in dir(AsyncManagedSyncClient) if not name.startswith("_")) == NAMES


@pytest.mark.parametrize("name", ["__init__", *NAMES])
def test_a_method_has_the_same_parameters_and_defaults(name: str) -> None:
    one, other = getattr(ManagedSyncClient, name), getattr(AsyncManagedSyncClient, name)
    if isinstance(one, property):
        assert one is other
        return

    ours, theirs = inspect.signature(one).parameters, inspect.signature(other).parameters

    assert list(ours) == list(theirs)
    for parameter in ours.values():
        assert parameter.kind is theirs[parameter.name].kind
        assert parameter.default == theirs[parameter.name].default


@pytest.mark.parametrize("name", NAMES)
def test_a_method_is_described_in_the_same_words(name: str) -> None:
    documented, of_async = (_documented(kind, name) for kind in CLIENTS)

    assert documented.text
    assert of_async.text == documented.text


@pytest.mark.parametrize("name", METHODS)
def test_the_examples_of_a_method_show_the_same_on_both_clients(name: str) -> None:
    documented, of_async = (_documented(kind, name) for kind in CLIENTS)

    assert [each.want for each in of_async.examples] == [each.want for each in documented.examples]
    assert documented.examples or name == "close"


@pytest.mark.parametrize(
    ("client", "options"),
    [(ManagedSyncClient, ClientOptions), (AsyncManagedSyncClient, AsyncClientOptions)],
)
def test_every_argument_of_a_client_is_an_option_of_from_env(
    client: type[ManagedSyncClient | AsyncManagedSyncClient], options: type
) -> None:
    arguments = get_type_hints(client.__init__)
    del arguments["return"]

    assert get_type_hints(options) == arguments
    assert get_type_hints(client.from_env)["options"] == Unpack[options]


@dataclass(frozen=True)
class Documented:
    """A docstring without its examples, and the examples."""

    text: str
    examples: list[doctest.Example]


def _documented(client: type[ManagedSyncClient | AsyncManagedSyncClient], name: str) -> Documented:
    documented = inspect.getdoc(getattr(client, name)) or ""
    text, _, examples = documented.partition("Examples:\n")
    return Documented(text, doctest.DocTestParser().get_examples(examples))


@pytest.mark.parametrize("name", [name for name in METHODS if name != "from_env"])
def test_every_method_of_the_asynchronous_client_is_asynchronous(name: str) -> None:
    method = inspect.unwrap(getattr(AsyncManagedSyncClient, name))

    assert inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)


def odd_ones(request: httpx.Request) -> httpx.Response:
    checks = json.loads(request.content)["checks"]
    results = [{"allowed": int(check["object"][5:]) % 2 == 1} for check in checks]
    return httpx.Response(200, json={"results": results})


def test_a_checker_of_an_asynchronous_client_decides_like_one_of_a_synchronous() -> None:
    objects = [f"file:{number}" for number in range(250)]

    async def ask() -> set[str]:
        transport = httpx.MockTransport(odd_ones)
        async with AsyncManagedSyncClient("p1", "t", transport=transport) as client:
            return await AccessChecker(client).aallowed("a@x.example", objects)

    with ManagedSyncClient("p1", "t", transport=httpx.MockTransport(odd_ones)) as client:
        allowed = AccessChecker(client).allowed("a@x.example", objects)

    assert allowed == asyncio.run(ask()) == {f"file:{number}" for number in range(1, 250, 2)}


def test_a_checker_of_an_asynchronous_client_fails_closed() -> None:
    async def ask() -> None:
        transport = httpx.MockTransport(lambda _: httpx.Response(500))
        async with AsyncManagedSyncClient("p1", "t", transport=transport, retry_budget=0) as client:
            checker = AccessChecker(client)
            with pytest.raises(ConfigurationError, match="aallowed"):
                checker.allowed("a@x.example", ["file:1"])
            await checker.aallowed("a@x.example", ["file:1"])

    with pytest.raises(AccessCheckError):
        asyncio.run(ask())


def test_an_asynchronous_client_serves_one_event_loop_after_another() -> None:
    client = AsyncManagedSyncClient(
        "p1", "t", transport=httpx.MockTransport(odd_ones), check_batch_size=1
    )
    checks = [AccessCheck(subject="a", relation="viewer", object=f"file:{n}") for n in range(20)]

    answers = [asyncio.run(client.batch_check_access(checks)) for _ in range(2)]

    assert answers == [[n % 2 == 1 for n in range(20)]] * 2


def test_both_clients_read_the_same_from_a_server(company: Company) -> None:
    ours = company.client
    files = [each for each in ours.iter_records("googleDrive", "files") if not each.is_folder][:5]
    checks = [
        AccessCheck(subject=user, relation="viewer", object=f"file:{each.id}")
        for each in files
        for user in company.users
    ]

    async def read() -> list[object]:
        async with AsyncManagedSyncClient(
            ours.project_id, ours._credentials.get, base_url=ours.base_url
        ) as client:
            streamed = b""
            async with client.stream_content(files[0].id) as content:
                async for part in content:
                    streamed += part
            return [
                [each async for each in client.iter_records("googleDrive", "files")],
                [await client.download_content(each.id) for each in files],
                await client.batch_check_access(checks),
                streamed,
            ]

    assert asyncio.run(read()) == [
        list(ours.iter_records("googleDrive", "files")),
        [ours.download_content(each.id) for each in files],
        ours.batch_check_access(checks),
        ours.download_content(files[0].id).data,
    ]
