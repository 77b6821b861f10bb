"""Webhooks over HTTP: an ASGI app for any server, and a router for FastAPI."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from managed_sync.errors import MissingExtraError
from managed_sync.indexing.webhooks.events import WebhookResponse
from managed_sync.indexing.webhooks.receiver import WebhookReceiver

if TYPE_CHECKING:
    from fastapi import APIRouter

__all__ = ["WebhookApp", "webhook_router"]

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]

_MOST_BYTES = 1024 * 1024


class WebhookApp:
    """An ASGI app that takes events at any path, by POST.

    Its responses: 202 to an accepted event, 401 without a valid signature or secret, 400 to a body
    that is not an event, 404 to an unknown pipeline, 413 to a body of more than a megabyte.

    Args:
        receiver: Takes the events. It is closed when the server shuts down.

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
            response = await self._respond(scope, receive)
            content = json.dumps({"message": response.message}).encode()
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(content)).encode()),
            ]
            await send(
                {"type": "http.response.start", "status": response.status, "headers": headers}
            )
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

    async def _respond(self, scope: _Message, receive: _Receive) -> WebhookResponse:
        if scope["method"] != "POST":
            return WebhookResponse(405, "Send events with POST.")
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return WebhookResponse(400, "The body is incomplete.")
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > _MOST_BYTES:
                return WebhookResponse(413, "An event must not exceed one megabyte.")
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        return self._receiver.receive(headers, bytes(body))


def webhook_router(receiver: WebhookReceiver, path: str = "/webhooks") -> APIRouter:
    """Returns a router for a FastAPI app; close the receiver when the app shuts down.

    Args:
        receiver: Takes the events.
        path: The path to which events are posted.

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
    # The app itself responds, so that bodies are read and refused in one way.
    router.routes.append(Route(path, WebhookApp(receiver), methods=["POST"]))
    return router
