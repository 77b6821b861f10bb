"""The server inside another program: in a thread, on a port of this machine."""

from __future__ import annotations

from pathlib import Path

from managed_sync.errors import ConfigurationError
from managed_sync.server.auth.signing_key import load_or_create_signing_key
from managed_sync.server.config import ServerConfig, is_loopback
from managed_sync.server.runtime.server import Server

__all__ = ["EmbeddedServer"]


class EmbeddedServer(Server):
    """A Managed Sync server over a folder, for the programs on this machine.

    It listens on the loopback interface only, and serves only requests with a token that was
    signed with its ``signing_key``. A restart with the same state folder continues with the same
    records and pipelines.

    Args:
        folder: The company folder: ``permissions.yaml``, ``files/`` and the JSON Lines files.
        state: The folder for the server's database and signing key. Created if it is missing.
        project_id: The project that it serves.
        host: The address to listen on.
        port: The port; 0 takes a free one.
        allow_remote: Whether to accept an address that other machines can reach. The connection is
            not encrypted: put a proxy with TLS in front of the server.

    Examples:
        >>> with EmbeddedServer(Path("company"), Path("state")) as server:
        ...     print(server.base_url.rpartition(":")[0])
        http://127.0.0.1
    """

    def __init__(
        self,
        folder: Path,
        state: Path,
        *,
        project_id: str = "demo",
        host: str = "127.0.0.1",
        port: int = 0,
        allow_remote: bool = False,
    ) -> None:
        if not allow_remote and not is_loopback(host):
            raise ConfigurationError(
                f"Other machines can reach the host {host!r}. Use 127.0.0.1, or pass "
                "allow_remote=True to serve them."
            )
        super().__init__(
            ServerConfig.of_folder(Path(folder), Path(state), project_id, host=host, port=port)
        )
        self._project_id = project_id
        self._state = Path(state)
        self._signing_key: str | None = None

    @property
    def project_id(self) -> str:
        """The project that the server serves."""
        return self._project_id

    @property
    def signing_key(self) -> str:
        """The RSA private key, in PEM, that signs the tokens of this server's users.

        Raises:
            ConfigurationError: The state folder cannot be used.
        """
        if self._signing_key is None:
            self._signing_key = load_or_create_signing_key(self._state).pem
        return self._signing_key
