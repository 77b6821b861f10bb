"""The folder that a command line works in: the embedded server's state, the index, the ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from managed_sync.access import AccessChecker
from managed_sync.cli.proven_transport import ProvenTransport
from managed_sync.cli.signals import StopRequest
from managed_sync.client import ManagedSyncClient
from managed_sync.errors import ApiError, ConfigurationError, StateInUseError
from managed_sync.private_files import private_folder, write_private
from managed_sync.settings import Settings

if TYPE_CHECKING:
    from managed_sync.server import EmbeddedServer

__all__ = ["LOCAL_PROJECT", "LOCAL_USER", "PipelineName", "Workspace"]

LOCAL_PROJECT = "local"
LOCAL_USER = "local"
# Somebody waits in front of the terminal.
_RETRY_BUDGET = 10
# For a command that has a server of its own; most take a second or two.
_LONGEST_WAIT = 30.0
_POLL_SECONDS = 0.1

_NO_API = (
    "There is no Managed Sync API to talk to. Run `managed-sync demo` for a sample company, "
    "`managed-sync serve --folder <folder>` for files of your own, or set MANAGED_SYNC_BASE_URL, "
    "MANAGED_SYNC_PROJECT_ID and MANAGED_SYNC_TOKEN for an API that runs elsewhere."
)


class PipelineName(NamedTuple):
    """An integration and a sync type."""

    integration: str
    sync_type: str

    def __str__(self) -> str:
        return f"{self.integration} {self.sync_type}"


class Workspace:
    """A folder with everything that commands share.

    Args:
        root: The folder; it is made when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.company_folder = self.root / "company"
        self.server_state = self.root / "server"
        self.index_folder = self.root / "index"
        self.ledger = self.root / "ledger.db"
        self._settings_file = self.root / "workspace.json"
        self._server_file = self.root / "server.json"

    @property
    def source_folder(self) -> Path | None:
        """The folder that the embedded server serves, if one was chosen."""
        folder = self._read(self._settings_file).get("folder")
        return Path(folder) if folder else None

    @property
    def pipelines(self) -> list[PipelineName]:
        """The pipelines that were enabled from this workspace, in that order."""
        return [PipelineName(*names) for names in self._read(self._settings_file)["pipelines"]]

    def serve_from(self, folder: Path) -> None:
        """Remembers the folder for the embedded server.

        Raises:
            ConfigurationError: The workspace already serves another folder.
        """
        chosen = str(self._chosen(folder))
        settings = self._read(self._settings_file)
        self._write(self._settings_file, {**settings, "folder": chosen})

    def remember(self, pipeline: PipelineName) -> None:
        """Adds a pipeline to those that commands work on when none is named."""
        settings = self._read(self._settings_file)
        if pipeline not in self.pipelines:
            settings["pipelines"].append(list(pipeline))
            self._write(self._settings_file, settings)

    @contextmanager
    def announce(self, base_url: str) -> Iterator[None]:
        """Lets other commands find a server that runs for as long as this holds."""
        self._write(self._server_file, {"base_url": base_url})
        try:
            yield
        finally:
            self._server_file.unlink(missing_ok=True)

    @property
    def is_local(self) -> bool:
        """Whether commands talk to the embedded server, and not to an API that runs elsewhere."""
        return not Settings.from_env().project_id

    @property
    def project_id(self) -> str:
        """The project that commands work on."""
        return Settings.from_env().project_id or LOCAL_PROJECT

    @contextmanager
    def connect(
        self, *, is_shared: bool = False, stop: StopRequest | None = None
    ) -> Iterator[ManagedSyncClient]:
        """A client of the API that the environment names, or of the embedded server.

        The embedded server is the one that ``managed-sync serve`` runs or another command shares,
        or else one that runs for as long as this command does. One server at a time works with a
        workspace, so a command waits for one that has its own.

        Args:
            is_shared: Whether other commands may use the server of this one, which takes long.
            stop: Ends the waiting when it is set.

        Raises:
            ConfigurationError: There is no API to talk to.
            StateInUseError: Another command had a server of its own for too long.
        """
        if not self.is_local:
            with ManagedSyncClient.from_env(retry_budget=_RETRY_BUDGET) as client:
                yield client
            return
        with ExitStack() as stack:
            base_url, signing_key = self._reach_server(stack, stop or StopRequest(), is_shared)
            yield stack.enter_context(self._local_client(base_url, signing_key))

    def _reach_server(
        self, stack: ExitStack, stop: StopRequest, is_shared: bool
    ) -> tuple[str, str]:
        """Where the server is that runs, or that runs as long as the stack; and its key."""
        deadline = time.monotonic() + _LONGEST_WAIT
        while True:
            server = self.server()
            running = self._read(self._server_file).get("base_url")
            if running and self._answers(running, server.signing_key):
                return running, server.signing_key
            try:
                stack.enter_context(server)
            except StateInUseError:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                stop.wait(min(_POLL_SECONDS, left))
                stop.raise_if_set()
                continue
            if is_shared:
                stack.enter_context(self.announce(server.base_url))
            return server.base_url, server.signing_key

    def _local_client(
        self, base_url: str, signing_key: str, *, retry_budget: float = _RETRY_BUDGET
    ) -> ManagedSyncClient:
        return ManagedSyncClient(
            LOCAL_PROJECT,
            signing_key=signing_key,
            user_id=LOCAL_USER,
            base_url=base_url,
            retry_budget=retry_budget,
            # A server that was killed leaves a port to whoever takes it.
            transport=ProvenTransport(self.server_state),
        )

    def _answers(self, base_url: str, signing_key: str) -> bool:
        """Whether the server really runs where it was announced; it may have been killed."""
        with self._local_client(base_url, signing_key, retry_budget=0) as client:
            try:
                client.list_objects("nobody@localhost", "viewer")
            except ApiError:
                return False
            return True

    def checker(self, client: ManagedSyncClient, relation: str = "viewer") -> AccessChecker:
        """Returns a checker; the embedded server never cuts a list of objects off."""
        return AccessChecker(client, relation, list_limit=None if self.is_local else "auto")

    def server(self, port: int = 0, folder: Path | None = None) -> EmbeddedServer:
        """The embedded server over a folder, or over the one of this workspace, not yet started.

        Raises:
            MissingExtraError: The extra ``server`` is not installed.
            ConfigurationError: No folder was chosen yet, or another one.
        """
        from managed_sync.server import EmbeddedServer

        return EmbeddedServer(
            self._chosen(folder), self.server_state, project_id=LOCAL_PROJECT, port=port
        )

    def _chosen(self, folder: Path | None) -> Path:
        known = self.source_folder
        if folder is None:
            if known is None:
                raise ConfigurationError(_NO_API)
            return known
        if known not in {None, folder.absolute()}:
            raise ConfigurationError(
                f"The workspace {self.root} already serves {known}; choose another one for "
                f"{folder} with --workspace, or remove it to begin anew."
            )
        return folder.absolute()

    def _read(self, file: Path) -> dict[str, Any]:
        try:
            return {"pipelines": [], **json.loads(file.read_text(encoding="utf-8"))}
        except FileNotFoundError:
            return {"pipelines": []}
        except (OSError, ValueError, TypeError) as error:
            raise ConfigurationError(
                f"{file} cannot be read ({error}); remove it, or the whole workspace {self.root}."
            ) from None

    def _write(self, file: Path, content: dict[str, Any]) -> None:
        private_folder(self.root, is_ours=False)
        write_private(file, json.dumps(content, indent=2))
