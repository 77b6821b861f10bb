"""The command that brings the index up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from managed_sync.cli.console import counting, output, plain_table, progress_display
from managed_sync.cli.options import (
    DEFAULT_WORKSPACE,
    OptionalIntegration,
    OptionalSyncType,
    WorkspaceOption,
    chosen_pipelines,
)
from managed_sync.cli.vector_index import COMFORTABLE_CHUNKS, open_index
from managed_sync.cli.workspace import PipelineName, Workspace
from managed_sync.client import ManagedSyncClient
from managed_sync.indexing import IndexReport

if TYPE_CHECKING:
    from langchain_qdrant import QdrantVectorStore

__all__ = ["index", "index_pipelines", "print_reports"]


def index(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
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
        _warn_of_size(store)
    return reports


def _warn_of_size(store: QdrantVectorStore) -> None:
    chunks = store.client.count(store.collection_name).count
    if chunks > COMFORTABLE_CHUNKS:
        output.print(
            f"The index holds {chunks:,} chunks. The local one is made for up to "
            f"{COMFORTABLE_CHUNKS:,}: it stays exact, but gets slow. For more, use IndexSync with "
            f"a Qdrant server or PostgreSQL.",
            style="yellow",
        )


def print_reports(reports: dict[PipelineName, IndexReport]) -> None:
    """Prints a line for each pipeline, and one for each record that could not be read."""
    table = plain_table("pipeline", "added", "updated", "same", "deleted", "failed", "chunks")
    for pipeline, report in reports.items():
        counts = (
            report.added,
            report.updated,
            report.unchanged,
            report.deleted,
            len(report.failed),
            report.chunks_written,
        )
        table.add_row(str(pipeline), *map(str, counts))
    output.print(table)
    for report in reports.values():
        for failure in report.failed:
            output.print(f"Not indexed: {failure.reason}", markup=False, soft_wrap=True)
