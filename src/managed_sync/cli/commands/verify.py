"""The command verify."""

from __future__ import annotations

from typing import Annotated

import typer

from managed_sync.cli.index_report import as_json, print_verification
from managed_sync.cli.index_runs import ExitStatus, index_sync
from managed_sync.cli.options import (
    DEFAULT_WORKSPACE,
    OcrOption,
    OptionalIntegration,
    OptionalSyncType,
    WorkspaceOption,
)
from managed_sync.cli.vector_index import open_index
from managed_sync.cli.workspace import Workspace

__all__ = ["verify"]


def verify(
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    integration: OptionalIntegration = None,
    sync_type: OptionalSyncType = None,
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Repair differences.")] = False,
    remove_unknown: Annotated[
        bool,
        typer.Option(
            "--remove-unknown",
            help="With --repair: remove chunks of records that neither the ledger nor the API "
            "knows. Only if no other ledger uses the same collection.",
        ),
    ] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ocr: OcrOption = "",
) -> None:
    """Compare the index, its ledger and the source with each other.

    Exits with status 5 if they differ, or after a repair with 3 if some records could not be
    indexed. A record that could not be indexed is not a difference; it is counted and listed.
    """
    workspace = Workspace(root)
    with workspace.connect() as client, open_index(workspace) as store:
        sync = index_sync(workspace, client, store, ocr=ocr)
        found = {
            name: sync.verify(
                integration=name.integration,
                sync_type=name.sync_type,
                repair=repair,
                remove_unknown=remove_unknown,
            )
            for name in workspace.chosen_pipelines(integration, sync_type)
        }
    if json_output:
        typer.echo(as_json(found))
    else:
        print_verification(found)
    if any(report.repair and report.repair.failed for report in found.values()):
        raise typer.Exit(ExitStatus.SOME_FAILED)
    if not repair and not all(report.agrees for report in found.values()):
        raise typer.Exit(ExitStatus.DIFFERENCES_FOUND)
