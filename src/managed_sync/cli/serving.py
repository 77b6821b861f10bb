"""The command that runs the embedded server."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from managed_sync.cli.console import output
from managed_sync.cli.options import DEFAULT_WORKSPACE, WorkspaceOption
from managed_sync.cli.workspace import LOCAL_PROJECT, LOCAL_USER, Workspace

__all__ = ["serve"]


def serve(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="The company to serve: a folder with permissions.yaml and files/. "
            "Not needed when the workspace knows it already.",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    port: Annotated[int, typer.Option(help="The port on 127.0.0.1; 0 takes a free one.")] = 8642,
) -> None:
    """Run the embedded Managed Sync server until Ctrl-C.

    Other commands of the same workspace find it by themselves. A program of yours finds it
    through the environment variables that are printed.
    """
    place = Workspace(workspace)
    if folder is not None:
        place.serve_from(folder)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    for chatty in ("apscheduler", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    with place.server(port) as server, place.announce(server.base_url):
        output.print(f"Serving {place.source_folder} at {server.base_url}", soft_wrap=True)
        output.print("\nFor a program of yours:", soft_wrap=True)
        key_file = place.server_state / "signing-key.pem"
        for name, value in {
            "BASE_URL": server.base_url,
            "PROJECT_ID": LOCAL_PROJECT,
            "USER_ID": LOCAL_USER,
            "SIGNING_KEY": f'"$(cat {key_file})"',
        }.items():
            output.print(f"  export MANAGED_SYNC_{name}={value}", soft_wrap=True, markup=False)
        output.print("\nStop with Ctrl-C.")
        server.serve_forever()
