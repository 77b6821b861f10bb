"""The command line's commands."""

from __future__ import annotations

from typing import Annotated

import typer

from managed_sync import __version__
from managed_sync.cli.commands.demo import demo
from managed_sync.cli.commands.evaluate import evaluate
from managed_sync.cli.commands.failures import failures
from managed_sync.cli.commands.index import index
from managed_sync.cli.commands.pipelines import enable, pull, status
from managed_sync.cli.commands.search import check, explain, search
from managed_sync.cli.commands.serve import serve, token
from managed_sync.cli.commands.verify import verify

__all__ = ["app"]

app = typer.Typer(
    name="managed-sync",
    help="Permission-aware retrieval over a Managed Sync API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_IN_THE_ORDER_OF_USE = (
    demo,
    serve,
    token,
    enable,
    status,
    pull,
    index,
    verify,
    search,
    check,
    explain,
    evaluate,
)
for command in _IN_THE_ORDER_OF_USE:
    app.command()(command)
app.add_typer(failures, name="failures")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"managed-sync {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, help="Show the version.")
    ] = False,
) -> None:
    """Permission-aware retrieval over a Managed Sync API.

    Start with `managed-sync demo`. Commands work in a workspace, the folder .managed-sync in the
    current folder. If MANAGED_SYNC_PROJECT_ID and the related variables are set, commands use that
    API instead of the embedded server.
    """
