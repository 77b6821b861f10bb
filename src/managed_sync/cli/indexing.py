"""The command that brings the index up to date."""

from __future__ import annotations

import typer

from managed_sync.cli.console import counting, output, progress_display
from managed_sync.cli.options import (
    OptionalIntegration,
    OptionalSyncType,
    WorkspaceOption,
    chosen_pipelines,
)
from managed_sync.cli.vector_index import open_index
from managed_sync.cli.workspace import PipelineName, Workspace
from managed_sync.client import ManagedSyncClient
from managed_sync.indexing import IndexReport

__all__ = ["index", "index_pipelines", "print_reports"]


def index(
    workspace: WorkspaceOption,
    integration: OptionalIntegration = None,
    sync_type: OptionalSyncType = None,
) -> None:
    """Index what is new or changed, and remove what is gone from the source.

    Exits with status 3 if some records could not be read; all others are indexed.
    """
    place = Workspace(workspace)
    with place.connect() as client:
        pipelines = chosen_pipelines(place, integration, sync_type)
        reports = index_pipelines(place, client, pipelines)
    print_reports(reports)
    if any(report.failed for report in reports.values()):
        raise typer.Exit(3)


def index_pipelines(
    workspace: Workspace, client: ManagedSyncClient, pipelines: list[PipelineName]
) -> dict[PipelineName, IndexReport]:
    """Loads, splits, embeds and indexes pipelines, behind progress bars."""
    from managed_sync.indexing import IndexSync
    from managed_sync.langchain import LangChainTarget, ManagedSyncLoader

    reports = {}
    with open_index(workspace) as store, progress_display() as progress:
        for pipeline in pipelines:
            integration, sync_type = pipeline
            sync = IndexSync(
                client,
                LangChainTarget(store),
                workspace.ledger,
                loader=ManagedSyncLoader(client, integration=integration, sync_type=sync_type),
            )
            reports[pipeline] = sync.run(
                integration=integration,
                sync_type=sync_type,
                on_progress=counting(progress, str(pipeline), "records"),
            )
    return reports


def print_reports(reports: dict[PipelineName, IndexReport]) -> None:
    """Prints one line for each pipeline, and one for each record that could not be read."""
    for pipeline, report in reports.items():
        output.print(
            f"{pipeline}: {report.added} added, {report.updated} updated, "
            f"{report.unchanged} unchanged, {report.deleted} deleted, {len(report.failed)} failed; "
            f"{report.chunks_written} chunks embedded in {report.seconds:.1f} s."
        )
        for failure in report.failed:
            output.print(f"  not indexed: {failure.title}: {failure.reason}", markup=False)
