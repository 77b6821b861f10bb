"""An embedded Managed Sync server: the same API, over a folder of this machine.

It serves the ten operations of the Managed Sync specification to programs of this machine, from a
folder of real files and the ``permissions.yaml`` beside them.

Examples:
    >>> from pathlib import Path
    >>> with EmbeddedServer(Path("company"), Path("state")) as server:  # doctest: +SKIP
    ...     print(server.base_url, server.project_id)
"""

from __future__ import annotations

from managed_sync.errors import MissingExtraError

try:
    from managed_sync.server.app import create_app
    from managed_sync.server.config import ServerConfig
    from managed_sync.server.embedded import EmbeddedServer
except ModuleNotFoundError as error:
    if (error.name or "").startswith("managed_sync"):
        raise
    raise MissingExtraError("The embedded server", "server") from error

__all__ = ["EmbeddedServer", "ServerConfig", "create_app"]
