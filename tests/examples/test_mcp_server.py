"""The MCP server, through the SDK's own client over HTTP: it searches for the token's user only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, Tool

from examples.mcp_server.ask import ask
from examples.mcp_server.server import create_app
from examples.shared.serving import listen
from examples.shared.tokens import Issuer
from tests.examples.office import ADA, BEN, SECRET, Office
from tests.support.asgi_server import served

QUESTION = "What is the password of the kettle?"
ISSUER = "https://login.x.example"


class Assistant:
    """Talks to the server as an assistant does, with the tokens that it was given."""

    def __init__(self, address: str, issuer: Issuer) -> None:
        self.address = address
        self.issuer = issuer

    def tools(self, user: str) -> list[Tool]:
        async def listed() -> list[Tool]:
            async with self._client(self.issuer.issue(user)) as client:
                return (await client.list_tools()).tools

        return asyncio.run(listed())

    def call(self, user: str, /, **arguments: object) -> CallToolResult:
        return self.call_with(self.issuer.issue(user), **arguments)

    def call_with(self, token: str, /, **arguments: Any) -> CallToolResult:
        async def called() -> CallToolResult:
            async with self._client(token) as client:
                return await client.call_tool("search_documents", arguments)

        return asyncio.run(called())

    def _client(self, token: str) -> Client:
        http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"})
        return Client(streamable_http_client(self.address, http_client=http))


@pytest.fixture
def assistant(office: Office) -> Iterator[Assistant]:
    with listen(0) as probe:
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}/mcp"
    issuer = Issuer(ISSUER, audience=address)
    app = create_app(office.retriever, issuer.verifier(), issuer=ISSUER, address=address)
    with served(app, port):
        yield Assistant(address, issuer)


def test_a_search_returns_passages_to_cite(assistant: Assistant) -> None:
    result = assistant.call(ADA, query=QUESTION)
    assert result.structured_content is not None
    found = {passage["place"]: passage for passage in result.structured_content["passages"]}
    assert SECRET in found["vault.txt"]["text"]
    assert found["vault.txt"]["url"] == "https://x.example/vault.txt"
    assert "kitchen.txt" in found


def test_the_tool_takes_the_question_alone(assistant: Assistant) -> None:
    [tool] = assistant.tools(ADA)
    assert list(tool.input_schema["properties"]) == ["query"]


@pytest.mark.parametrize("name", ["subject", "user", "token", "ctx", "config", "bound_subject"])
def test_a_user_whom_the_model_names_changes_nothing(name: str, assistant: Assistant) -> None:
    result = assistant.call(BEN, query=f"I am {ADA}. {QUESTION}", **{name: ADA})
    assert SECRET not in str(result)
    assert "vault.txt" not in str(result)


def test_each_call_searches_for_the_user_of_its_own_token(assistant: Assistant) -> None:
    for user in (ADA, BEN, ADA, BEN):
        assert (SECRET in str(assistant.call(user, query=QUESTION))) == (user == ADA)


def test_a_session_id_of_another_user_opens_nothing(assistant: Assistant) -> None:
    """A server with sessions could answer the second request for the user of the first."""

    def post(user: str, method: str, params: dict[str, Any], **headers: str) -> httpx.Response:
        return httpx.post(
            assistant.address,
            json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params},
            headers={
                "Accept": "application/json, text/event-stream",
                "Authorization": f"Bearer {assistant.issuer.issue(user)}",
                **headers,
            },
            timeout=20,
        )

    begun = post(
        ADA,
        "initialize",
        {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    )
    assert begun.status_code == 200
    session = begun.headers.get("mcp-session-id", "made-up")
    call = {"name": "search_documents", "arguments": {"query": QUESTION}}
    headers = {"Mcp-Session-Id": session, "Mcp-Protocol-Version": "2025-06-18"}
    assert SECRET in post(ADA, "tools/call", call, **headers).text
    assert SECRET not in post(BEN, "tools/call", call, **headers).text


def test_without_a_good_token_nothing_is_served(assistant: Assistant) -> None:
    elsewhere = Issuer(ISSUER, audience="https://mail.x.example")
    elsewhere._key = assistant.issuer._key
    for token in (
        "x",
        ADA,
        Issuer(ISSUER, audience=assistant.address).issue(ADA),
        elsewhere.issue(ADA),
    ):
        with pytest.raises((ExceptionGroup, MCPError)):
            assistant.call_with(token, query=QUESTION)
        answer = httpx.post(assistant.address, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert "resource_metadata=" in answer.headers["WWW-Authenticate"]


def test_what_was_revoked_is_not_found_any_more(assistant: Assistant, office: Office) -> None:
    assert SECRET in str(assistant.call(ADA, query=QUESTION))
    office.let_read_the_vault(BEN)
    assert SECRET not in str(assistant.call(ADA, query=QUESTION))


def test_without_a_decision_there_is_an_error_that_names_no_object(
    assistant: Assistant, office: Office
) -> None:
    office.gate.broken = True
    result = assistant.call(ADA, query=QUESTION)
    assert result.is_error
    assert "could not be decided" in str(result)
    assert "file:" not in str(result)


def test_the_client_prints_what_the_token_may_read(
    assistant: Assistant, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(ask(assistant.address, assistant.issuer.issue(BEN), QUESTION))
    assert "[1] kitchen.txt  https://x.example/kitchen.txt" in capsys.readouterr().out
