"""An ASGI application on loopback for as long as a test needs it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.types import ASGIApp

from examples.shared.serving import listen


@contextmanager
def served(application: ASGIApp, port: int = 0, *, loop: str = "auto") -> Iterator[str]:
    """Serves the application, on a kind of event loop; yields its address."""
    with listen(port) as listener:
        server = uvicorn.Server(uvicorn.Config(application, log_level="warning", loop=loop))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
