"""The commands enable, status and pull."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from managed_sync.cli.options import (
    DEFAULT_WORKSPACE,
    IntegrationArgument,
    OptionalIntegration,
    OptionalSyncType,
    SyncTypeArgument,
    WorkspaceOption,
)
from managed_sync.cli.output import output, plain_table, progress_display, wait_for_sync
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.logs import printable

__all__ = ["enable", "pull", "status"]


def enable(
    integration: IntegrationArgument,
    sync_type: SyncTypeArgument,
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    frequency: Annotated[
        str | None, typer.Option(help="The interval between syncs from now on: 1m, 15m, 1h, 1d.")
    ] = None,
) -> None:
    """Enable a pipeline, or sync an enabled one now, and wait until the sync ends."""
    workspace = Workspace(root)
    with workspace.connect() as client:
        workspace.enable(client, PipelineRef(integration, sync_type), frequency)
        with progress_display() as progress:
            done = wait_for_sync(progress, client, integration, sync_type)
    workspace.remember(PipelineRef(integration, sync_type))
    output.print(f"{integration} {sync_type}: {done.record_count} records.")
    for warning in done.warnings:
        output.print(f"Warning: {warning}", markup=False)


def status(
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    integration: OptionalIntegration = None,
    sync_type: OptionalSyncType = None,
) -> None:
    """Show the state of each pipeline, and how many of its records are in the index."""
    from managed_sync.cli.index_report import failure_line
    from managed_sync.indexing import Ledger, Pipeline

    workspace = Workspace(root)
    table = plain_table(
        "pipeline", "state", "synced (UTC)", "records", "indexed", "chunks", "failed"
    )
    notes: list[str] = []
    has_folders = False
    with workspace.connect() as client, Ledger(workspace.ledger) as ledger:
        for name in workspace.chosen_pipelines(integration, sync_type):
            state = client.get_sync_status(*name)
            indexed = ledger.of(Pipeline(client.project_id, *name))
            records, chunks = indexed.counts()
            failures = indexed.failures()
            has_folders |= name.sync_type == "files" and 0 < records < state.record_count
            synced_at = state.last_synced_at
            table.add_row(
                str(name),
                state.status.value,
                f"{synced_at:%Y-%m-%d %H:%M}" if synced_at else "never",
                str(state.record_count),
                str(records),
                str(chunks),
                str(len(failures)),
            )
            notes += [f"{name}: {text}" for text in (state.error, *state.warnings) if text]
            notes += [f"{name}: {failure_line(failure)}" for failure in failures]
    output.print(table)
    if has_folders:
        output.print("Folders are records too, and not indexed.", style="dim")
    for note in notes:
        output.print(note, markup=False, soft_wrap=True)


def pull(
    integration: IntegrationArgument,
    sync_type: SyncTypeArgument,
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    limit: Annotated[int | None, typer.Option(help="Stop after this many records.", min=1)] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print whole records as JSON Lines.")
    ] = False,
) -> None:
    """List a pipeline's records as the Sync API returns them."""
    with Workspace(root).connect() as client:
        count = 0
        for record in client.iter_records(integration, sync_type):
            if count == limit:
                break
            count += 1
            if json_lines:
                # JSON escapes control characters itself.
                typer.echo(json.dumps(record.model_dump(mode="json", by_alias=True)))
            else:
                typer.echo(printable(f"{record.id}  {record.source_id}"))
    if not json_lines:
        typer.echo(f"{count} records.", err=True)
