"""The two clients have the same methods, and one checker works with either."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import textwrap

import httpx
import pytest

from managed_sync import AccessCheck, AccessChecker, AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.errors import AccessCheckError, ConfigurationError
from tests.support.sample_company import Company

NAMES = sorted(name for name in dir(ManagedSyncClient) if not name.startswith("_"))


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
    documented = inspect.getdoc(getattr(ManagedSyncClient, name))
    for_tasks = inspect.getdoc(getattr(AsyncManagedSyncClient, name))

    assert documented
    assert for_tasks is not None
    without_awaits = re.sub(r"\(await ([^\n]+?\))\)", r"\1", for_tasks).replace("await ", "")
    assert re.sub(r"\basync (with|for)\b", r"\1", without_awaits) == documented


@pytest.mark.parametrize("client", [ManagedSyncClient, AsyncManagedSyncClient])
@pytest.mark.parametrize("name", NAMES)
def test_the_examples_of_a_method_can_be_used_as_they_stand(
    client: type[ManagedSyncClient | AsyncManagedSyncClient], name: str
) -> None:
    example = _example(inspect.getdoc(getattr(client, name)) or "")
    tree = ast.parse(f"async def example(client, file):\n{textwrap.indent(example, ' ')}")
    awaited = {node.value for node in ast.walk(tree) if isinstance(node, ast.Await)}
    entered = {
        item.context_expr
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncWith)
        for item in node.items
    }
    iterated = {node.iter for node in ast.walk(tree) if isinstance(node, ast.AsyncFor)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if not (isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "client"):
            continue
        method = getattr(client, call.func.attr)
        assert (call in awaited) is inspect.iscoroutinefunction(method), ast.unparse(call)
        assert (call in iterated) is inspect.isasyncgenfunction(method), ast.unparse(call)
        is_context = inspect.isasyncgenfunction(inspect.unwrap(method)) and call not in iterated
        assert (call in entered) is is_context, ast.unparse(call)


def _example(documented: str) -> str:
    """The code below ``Examples:``, without the fence that it may have."""
    _, _, example = documented.partition("Examples:\n")
    lines = textwrap.dedent(example).splitlines()
    return "\n".join(line for line in lines if not line.startswith("```")) or "pass"


@pytest.mark.parametrize(
    "name", [name for name in NAMES if inspect.isfunction(getattr(ManagedSyncClient, name))]
)
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
