"""Webhooks over HTTP: an ASGI app for any server, and a router for FastAPI."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from managed_sync.errors import MissingExtraError
from managed_sync.indexing.webhooks.receiver import Answer, WebhookReceiver

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ["WebhookApp", "webhook_router"]

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]

_MOST_BYTES = 1024 * 1024


class WebhookApp:
    """An ASGI app that takes events at any path, by POST.

    It answers 202 to what it accepts, 401 without a valid signature or secret, 400 to what is no
    event, 404 to pipelines that it does not know, 413 beyond a megabyte.

    Args:
        receiver: What takes the events; it is closed when the server shuts down.

    Examples:
        ```python
        app = WebhookApp(WebhookReceiver(sync, {"files": ("box", "files")}, verify=SignedBody(s)))
        # uvicorn module:app
        ```
    """

    def __init__(self, receiver: WebhookReceiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Serves one connection."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            answer = await self._answer(scope, receive)
            content = json.dumps({"message": answer.said}).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(content)).encode()),
            ]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": content})

    async def _live(self, receive: _Receive, send: _Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._receiver.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self._receiver.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: _Message, receive: _Receive) -> Answer:
        if scope["method"] != "POST":
            return Answer(405, "Events are posted.")
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return Answer(400, "The body broke off.")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > _MOST_BYTES:
                return Answer(413, "An event has a megabyte at most.")
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        return self._receiver.receive(headers, bytes(body))


def webhook_router(receiver: WebhookReceiver, path: str = "/webhooks") -> APIRouter:
    """A router for an app of FastAPI; close the receiver when the app shuts down.

    Args:
        receiver: What takes the events.
        path: Where.

    Raises:
        MissingExtraError: The extra ``server`` is not installed.

    Examples:
        ```python
        app = FastAPI()
        app.include_router(webhook_router(receiver, "/managed-sync/webhooks"))
        ```
    """
    if not find_spec("fastapi"):
        raise MissingExtraError("A router for FastAPI", "server")
    from fastapi import APIRouter  # noqa: PLC0415 - an optional dependency
    from starlette.routing import Route  # noqa: PLC0415

    router = APIRouter()
    # The app itself answers, so that there is one way to read a body and to refuse it.
    router.routes.append(Route(path, WebhookApp(receiver), methods=["POST"]))
    return router
