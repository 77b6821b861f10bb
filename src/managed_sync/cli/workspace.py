"""The workspace of the command line: a folder with server state, index and ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from managed_sync.access import AccessChecker
from managed_sync.bundled_embedding import BUNDLED_NAME
from managed_sync.cli.proven_transport import ProvenTransport
from managed_sync.cli.signals import StopRequest
from managed_sync.client import ManagedSyncClient
from managed_sync.client.settings import Settings
from managed_sync.errors import ApiError, ConfigurationError, NotFoundError, StateInUseError
from managed_sync.private_files import private_folder, write_private

if TYPE_CHECKING:
    from managed_sync.server import EmbeddedServer

__all__ = ["LOCAL_PROJECT", "LOCAL_USER", "PipelineRef", "Workspace"]

LOCAL_PROJECT = "local"
LOCAL_USER = "local"
# Short, since a person waits at the terminal.
_RETRY_BUDGET = 10
# Seconds to wait for a command with a server of its own; most take a second or two.
_MAX_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.1

_NO_API = (
    "There is no Managed Sync API to connect to, and no company in the workspace {root}. Name "
    "another --workspace, run `managed-sync demo` for a sample company, or "
    "`managed-sync serve --folder <folder>` for your own files. For an API that runs elsewhere, "
    "set MANAGED_SYNC_BASE_URL, MANAGED_SYNC_PROJECT_ID and MANAGED_SYNC_TOKEN."
)


class PipelineRef(NamedTuple):
    """A pipeline as commands name it: an integration and a sync type."""

    integration: str
    sync_type: str

    def __str__(self) -> str:
        return f"{self.integration} {self.sync_type}"


class Workspace:
    """A folder with everything that commands share.

    Args:
        root: The folder; created when a command first writes into it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.company_folder = self.root / "company"
        self.server_state = self.root / "server"
        self.index_folder = self.root / "index"
        self.keyword_file = self.root / "keywords.db"
        self.ledger = self.root / "ledger.db"
        self._settings_file = self.root / "workspace.json"
        self._server_file = self.root / "server.json"

    @property
    def source_folder(self) -> Path | None:
        """The folder that the embedded server serves, if one was chosen."""
        folder = self._read(self._settings_file).get("folder")
        return Path(folder) if folder else None

    @property
    def pipelines(self) -> list[PipelineRef]:
        """The pipelines that were enabled from this workspace, in that order."""
        return [PipelineRef(*names) for names in self._read(self._settings_file)["pipelines"]]

    @property
    def embedding(self) -> str:
        """The name of the embedding model of the index, as ``load_embeddings`` takes it."""
        name: str = self._read(self._settings_file).get("embedding", BUNDLED_NAME)
        return name

    def keep_embedding(self, name: str) -> None:
        """Remembers the embedding model of the index."""
        if name != self.embedding:
            settings = self._read(self._settings_file)
            self._write(self._settings_file, {**settings, "embedding": name})

    def require_embedding(self, name: str) -> None:
        """Makes sure that an index of this embedding model can begin or go on.

        Raises:
            ConfigurationError: The index has vectors of another model, which cannot be compared.
        """
        if name == self.embedding or not self.ledger.exists():
            return
        from managed_sync.indexing import Ledger

        # Commands that only look, such as status, make a ledger as well.
        with Ledger(self.ledger) as ledger:
            if ledger.has_chunks():
                raise self.refusal_of(name)

    def refusal_of(self, embedding: str) -> ConfigurationError:
        """Returns the error for a model other than that of the vectors in the index."""
        return ConfigurationError(
            f"The index of {self.root} has vectors of the embedding {self.embedding}. For "
            f"{embedding}, use another --workspace, or remove index, keywords.db and ledger.db in "
            f"this one to index everything again."
        )

    def chosen_pipelines(self, integration: str | None, sync_type: str | None) -> list[PipelineRef]:
        """Returns the named pipeline, or all that were enabled from this workspace.

        Raises:
            ConfigurationError: Only half of a name was given, or nothing was enabled yet.
        """
        if integration and sync_type:
            return [PipelineRef(integration, sync_type)]
        if integration:
            raise ConfigurationError(
                f"Name the sync type of {integration}, too: files, contacts, deals, tickets."
            )
        if not self.pipelines:
            raise ConfigurationError(
                "No pipeline was enabled from this workspace. Start with "
                "`managed-sync enable googleDrive files`."
            )
        return self.pipelines

    def serve_from(self, folder: Path) -> None:
        """Remembers the folder for the embedded server.

        Raises:
            ConfigurationError: The workspace already serves another folder.
        """
        chosen = str(self._chosen(folder))
        settings = self._read(self._settings_file)
        self._write(self._settings_file, {**settings, "folder": chosen})

    def enable(
        self, client: ManagedSyncClient, pipeline: PipelineRef, frequency: str | None = None
    ) -> None:
        """Enables a pipeline, or syncs an enabled one now.

        Raises:
            ConfigurationError: The embedded server has no such pipeline; the error names its own.
        """
        try:
            client.enable_sync(*pipeline, frequency)
        except NotFoundError as error:
            # The embedded server has one project, so only the pipeline can be missing.
            if self.is_local and error.detail:
                raise ConfigurationError(error.detail) from None
            raise

    def remember(self, pipeline: PipelineRef) -> None:
        """Adds a pipeline to those that commands use if none is named."""
        settings = self._read(self._settings_file)
        if pipeline not in self.pipelines:
            settings["pipelines"].append(list(pipeline))
            self._write(self._settings_file, settings)

    @contextmanager
    def announce(self, base_url: str) -> Iterator[None]:
        """Lets other commands find a running server while the block runs."""
        self._write(self._server_file, {"base_url": base_url})
        try:
            yield
        finally:
            self._server_file.unlink(missing_ok=True)

    @property
    def is_local(self) -> bool:
        """True if commands use the embedded server, not an API that runs elsewhere."""
        return not Settings.from_env().project_id

    @property
    def project_id(self) -> str:
        """The project that commands use."""
        return Settings.from_env().project_id or LOCAL_PROJECT

    @contextmanager
    def connect(
        self, *, is_shared: bool = False, stop: StopRequest | None = None
    ) -> Iterator[ManagedSyncClient]:
        """Opens a client of the API that the environment names, or of the embedded server.

        The embedded server is the one that ``managed-sync serve`` runs or another command shares.
        If there is none, this command runs one until it ends. Only one server at a time can use a
        workspace, so a command waits for another one that has its own server.

        Args:
            is_shared: Whether other commands may use the server of this long-running command.
            stop: Ends the wait when it is set.

        Raises:
            ConfigurationError: There is no API to connect to.
            StateInUseError: Another command kept its own server running for too long.
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
        """Returns URL and key of the running server, or of one that runs as long as the stack."""
        deadline = time.monotonic() + _MAX_WAIT_SECONDS
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
            # After a server was killed, another program can take its port.
            transport=ProvenTransport(self.server_state),
        )

    def _answers(self, base_url: str, signing_key: str) -> bool:
        """Returns whether the announced server still runs; it may have been killed."""
        with self._local_client(base_url, signing_key, retry_budget=0) as client:
            try:
                client.list_objects("nobody@localhost", "viewer")
            except ApiError:
                return False
            return True

    def checker(self, client: ManagedSyncClient, relation: str = "viewer") -> AccessChecker:
        """Returns a checker; the embedded server never truncates a list of objects."""
        return AccessChecker(client, relation, list_limit=None if self.is_local else "auto")

    def server(self, port: int = 0, folder: Path | None = None) -> EmbeddedServer:
        """Returns the embedded server of a folder, or of this workspace's folder, not started.

        Raises:
            MissingExtraError: The extra ``server`` is not installed.
            ConfigurationError: No folder was chosen yet, or the workspace serves another one.
        """
        from managed_sync.server import EmbeddedServer

        return EmbeddedServer(
            self._chosen(folder), self.server_state, project_id=LOCAL_PROJECT, port=port
        )

    def _chosen(self, folder: Path | None) -> Path:
        known = self.source_folder
        if folder is None:
            if known is None:
                raise ConfigurationError(_NO_API.format(root=self.root))
            return known
        if known not in {None, folder.absolute()}:
            raise ConfigurationError(
                f"The workspace {self.root} already serves {known}. Choose another workspace for "
                f"{folder} with --workspace, or remove this one to start over."
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
