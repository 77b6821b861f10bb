"""The commands serve and token."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from managed_sync.cli.options import DEFAULT_WORKSPACE, WorkspaceOption
from managed_sync.cli.output import output
from managed_sync.cli.workspace import LOCAL_PROJECT, LOCAL_USER, Workspace
from managed_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from managed_sync.server import ServerConfig

__all__ = ["serve", "token"]

ConfigOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="The settings file of a server for others, such as server.yaml.",
        dir_okay=False,
    ),
]


def serve(
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="The company folder to serve, with permissions.yaml and files/. "
            "Not needed if the workspace has one.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1; 0 takes a free one.")] = 8642,
    config: ConfigOption = None,
) -> None:
    """Run a Managed Sync server until Ctrl-C.

    Without --config, this is the embedded server, for this machine only. Other commands in the same
    workspace find it automatically; your own programs use the printed environment variables. With
    --config, the file sets the projects, the address and the keys.
    """
    from managed_sync.server.runtime.logging import set_up_logging

    if config is not None:
        if folder is not None:
            raise ConfigurationError(
                "--folder cannot be combined with --config; name the folders in that file."
            )
        _serve_as_configured(config)
        return
    workspace = Workspace(root)
    if folder is None and workspace.source_folder is None:
        raise ConfigurationError(
            f"There is no company to serve in the workspace {workspace.root}. Pass --folder with a "
            f"folder that has permissions.yaml and files/, or run `managed-sync demo` for a sample "
            f"company."
        )
    set_up_logging("text")
    # A public name, as `managed_sync.webhooks` is: users filter by it, wherever the code lies.
    logging.getLogger("managed_sync.server.requests").setLevel(logging.WARNING)
    with workspace.server(port, folder) as server, workspace.announce(server.base_url):
        if folder is not None:
            # Only now that it can be served: otherwise the other commands would fail, too.
            workspace.serve_from(folder)
        output.print(f"Serving {workspace.source_folder} at {server.base_url}", soft_wrap=True)
        output.print("\nFor your own programs:", soft_wrap=True)
        key_file = workspace.server_state / "signing-key.pem"
        for name, value in {
            "BASE_URL": server.base_url,
            "PROJECT_ID": LOCAL_PROJECT,
            "USER_ID": LOCAL_USER,
            "SIGNING_KEY": f'"$(cat {key_file})"',
        }.items():
            output.print(f"  export MANAGED_SYNC_{name}={value}", soft_wrap=True, markup=False)
        output.print("\nStop with Ctrl-C.")
        server.serve_forever()


def token(
    user: Annotated[str, typer.Option(help="The connected user that the token is for.")],
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    config: ConfigOption = None,
    project: Annotated[
        str | None, typer.Option(help="The project; required if the file has several.")
    ] = None,
    hours: Annotated[
        float, typer.Option(help="The lifetime of the token, in hours.", min=0.01, max=24 * 366)
    ] = 1,
) -> None:
    """Print a user token, signed with a project's newest private key.

    The token gives full access as that connected user until it expires. Protect it like a
    password.
    """
    from managed_sync.server.auth.signing_key import load_or_create_signing_key
    from managed_sync.server.auth.tokens import sign_token

    if config is None:
        keys, project_id = Workspace(root).server_state, project or LOCAL_PROJECT
    else:
        settings = _settings(config)
        project_id = _project(settings, project)
        keys = settings.keys_of(project_id)
    key = load_or_create_signing_key(keys)
    typer.echo(sign_token(key, project_id=project_id, user_id=user, seconds=int(hours * 3600)))


def _serve_as_configured(path: Path) -> None:
    from managed_sync.server import Server
    from managed_sync.server.runtime.logging import set_up_logging

    settings = _settings(path)
    set_up_logging(settings.log)
    Server(settings).serve_forever()


def _settings(path: Path) -> ServerConfig:
    from managed_sync.server import read_config

    return read_config(path)


def _project(settings: ServerConfig, wanted: str | None) -> str:
    names = ", ".join(settings.projects)
    if wanted is None and len(settings.projects) == 1:
        return next(iter(settings.projects))
    if wanted is None:
        raise ConfigurationError(f"Name the project with --project; there are: {names}.")
    if wanted not in settings.projects:
        raise ConfigurationError(f"There is no project {wanted!r}; there are: {names}.")
    return wanted
