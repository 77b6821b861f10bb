"""The examples in docstrings run, and print what they say.

An example may await, as in ``python -m asyncio``. Those of the clients talk to the API below, and
those of the server serve a copy of the sample company.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import importlib
import inspect
import io
import re
import textwrap
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import managed_sync
from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.sample_company import copy_company

PACKAGE = Path(managed_sync.__file__).parent
SOURCES = {
    ".".join(("managed_sync", *path.relative_to(PACKAGE).with_suffix("").parts)): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
WITH_EXAMPLES = [
    name.removesuffix(".__init__")
    for name, path in SOURCES.items()
    if ">>>" in path.read_text(encoding="utf-8")
]
WITH_FENCES = [name for name, path in SOURCES.items() if "```python" in path.read_text("utf-8")]
FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)
CHECKER = doctest.OutputChecker()

PLAN = {
    "id": "3f2a",
    "integration": "googleDrive",
    "syncType": "files",
    "data": {"name": "Plan.md", "mimeType": "text/markdown"},
}
BUDGET = {**PLAN, "id": "7b1c", "data": {"name": "Budget.xlsx"}}
STATUS = {"integration": "googleDrive", "syncType": "files", "status": "IDLE", "recordCount": 2}
RESPONSES: dict[str, Any] = {
    "/sync/enable": STATUS | {"status": "SYNCING"},
    "/sync/status": STATUS,
    "/sync/records": {"records": [PLAN], "nextCursor": "c2"},
    "/sync/records?cursor=c2": {"records": [BUDGET]},
    "/sync/records/3f2a": PLAN,
    "/permissions/check-access": {"allowed": True},
    "/permissions/batch-check-access": {"results": [{"allowed": True}]},
    "/permissions/list-users": ["alice@example.com"],
    "/permissions/list-objects": ["file:3f2a"],
    "/permissions/expand": {"object": "file:3f2a", "relation": "viewer", "granted": True},
}


def api(request: httpx.Request) -> httpx.Response:
    """A pipeline of two files, the first of which Alice may read."""
    path = request.url.path.removeprefix("/projects/p1")
    if path == "/sync/records/3f2a/content":
        return httpx.Response(
            200,
            content=b"# Plan\n\nWe build it.\n",
            headers={"content-disposition": 'attachment; filename="Plan.md"'},
        )
    cursor = request.url.params.get("cursor")
    return httpx.Response(200, json=RESPONSES[f"{path}?cursor={cursor}" if cursor else path])


@pytest.fixture
def clients() -> dict[str, ManagedSyncClient | AsyncManagedSyncClient]:
    """Returns the value of ``client`` in the examples, by module."""
    transport = httpx.MockTransport(api)
    return {
        kind.__module__: kind("p1", "t", base_url="http://127.0.0.1:8080", transport=transport)
        for kind in (ManagedSyncClient, AsyncManagedSyncClient)
    }


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_of_a_module_print_what_they_say(
    module: str,
    clients: dict[str, ManagedSyncClient | AsyncManagedSyncClient],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MANAGED_SYNC_PROJECT_ID", "p1")
    monkeypatch.setenv("MANAGED_SYNC_TOKEN", "t")
    monkeypatch.setenv("MANAGED_SYNC_BASE_URL", "http://127.0.0.1:8080")
    if module.startswith("managed_sync.server"):
        copy_company(tmp_path / "company")
    names = {"client": clients[module]} if module in clients else {}
    tests = doctest.DocTestFinder().find(importlib.import_module(module), extraglobs=names)

    wrong = [problem for test in tests for problem in problems_of(test)]

    assert any(test.examples for test in tests)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", WITH_FENCES)
def test_the_programs_in_docstrings_are_python(module: str) -> None:
    for program in FENCE.findall(SOURCES[module].read_text(encoding="utf-8")):
        compile(textwrap.dedent(program), module, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize(
    ("example", "printed"),
    [
        (">>> 1 + 1\n3\n", "2\n"),
        (">>> await asyncio.sleep(0, 1)\n2\n", "1\n"),
        (">>> [n async for n in later()]\n[2]\n", "[1]\n"),
        (">>> 1 / 0\n1\n", "ZeroDivisionError: division by zero\n"),
        (">>> later()\n", "<async_generator object"),
    ],
)
def test_an_example_that_is_wrong_is_found(example: str, printed: str) -> None:
    async def later() -> AsyncIterator[int]:
        yield 1

    test = doctest.DocTestParser().get_doctest(
        example, {"asyncio": asyncio, "later": later}, "example", None, None
    )

    (problem,) = problems_of(test)

    assert printed in problem.encode().decode("unicode_escape")


def problems_of(test: doctest.DocTest) -> Iterator[str]:
    with asyncio.Runner() as runner:
        for example in test.examples:
            if example.options.get(doctest.SKIP):
                continue
            printed = outcome(example.source, test.globs, runner)
            flags = sum(flag for flag, is_on in example.options.items() if is_on)
            wanted = example.exc_msg or example.want
            if not CHECKER.check_output(wanted, printed, flags):
                yield f"{test.name}: {example.source}expected {wanted!r}, got {printed!r}"


def outcome(source: str, names: dict[str, Any], runner: asyncio.Runner) -> str:
    """Returns the output of an example, or the last line of its error."""
    output = io.StringIO()
    try:
        code = compile(source, "<example>", "single", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(output):
            awaitable = eval(code, names)  # noqa: S307 - our own examples
            if inspect.iscoroutine(awaitable):
                runner.run(awaitable)
    except Exception as error:  # noqa: BLE001 - it is compared with the expected one
        return "".join(traceback.format_exception_only(error))
    return output.getvalue()
