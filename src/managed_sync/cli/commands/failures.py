"""The commands failures list, failures retry and failures dismiss."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer
from rich.text import Text

from managed_sync.cli.index_report import as_json, print_reports
from managed_sync.cli.index_runs import ExitStatus, index_sync
from managed_sync.cli.options import (
    DEFAULT_WORKSPACE,
    OcrOption,
    OptionalIntegration,
    OptionalSyncType,
    WorkspaceOption,
)
from managed_sync.cli.output import output, plain_table
from managed_sync.cli.signals import stop_on_signal
from managed_sync.cli.vector_index import open_index
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from managed_sync.indexing import RecordFailure, SkippedRecord

__all__ = ["failures"]

failures = typer.Typer(
    name="failures",
    help="List records that could not be indexed, retry them, or dismiss them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

RecordOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--record", help="The id of one of them; can be given several times.", metavar="ID"
    ),
]
JsonOption: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@failures.command("list")
def list_failures(
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    integration: OptionalIntegration = None,
    sync_type: OptionalSyncType = None,
    skipped: Annotated[
        bool, typer.Option("--skipped", help="List the records that have no text instead.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """List the records that could not be indexed, with the reasons."""
    found = _listed(Workspace(root), integration, sync_type, skipped=skipped)
    if json_output:
        typer.echo(
            json.dumps(
                {
                    "records": [
                        {**name._asdict(), **record._asdict()}
                        for name, records in found.items()
                        for record in records
                    ]
                }
            )
        )
        return
    table = plain_table("id", "pipeline", "attempts")
    table.add_column("reason", overflow="fold")
    for name, records in found.items():
        for record in records:
            attempts = str(getattr(record, "attempts", "-"))
            table.add_row(Text(record.record_id), str(name), attempts, Text(record.reason))
    if table.row_count:
        output.print(table)
    else:
        output.print("There are none.")


@failures.command()
def retry(
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    integration: OptionalIntegration = None,
    sync_type: OptionalSyncType = None,
    *,
    record: RecordOption = None,
    json_output: JsonOption = False,
    ocr: OcrOption = "",
) -> None:
    """Retry records that could not be indexed. Exits with status 3 if some still fail."""
    workspace = Workspace(root)
    chosen = _pipelines(workspace, integration, sync_type, record)
    with (
        stop_on_signal() as stop,
        workspace.connect(is_shared=True, stop=stop) as client,
        open_index(workspace, stop=stop) as store,
    ):
        sync = index_sync(workspace, client, store, ocr=ocr)
        reports = {}
        for name in chosen:
            reports[name] = sync.retry(record, **name._asdict(), stop=stop)
            if stop.is_set():
                break
    if json_output:
        typer.echo(as_json(reports))
    else:
        print_reports(reports)
    if stop.is_set():
        raise typer.Exit(stop.status)
    if any(report.failed for report in reports.values()):
        raise typer.Exit(ExitStatus.SOME_FAILED)


@failures.command()
def dismiss(
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    integration: OptionalIntegration = None,
    sync_type: OptionalSyncType = None,
    *,
    record: RecordOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Dismiss all of them, in the named pipelines.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Dismiss records that could not be indexed: they are not reported until they change."""
    from managed_sync.indexing import Ledger, Pipeline
    from managed_sync.indexing.ledger.locks import locked

    if bool(record) == everything:
        raise ConfigurationError("Name the records to dismiss with --record ID, or pass --all.")
    workspace = Workspace(root)
    count = 0
    with Ledger(workspace.ledger) as ledger:
        for name in _pipelines(workspace, integration, sync_type, record):
            of_pipeline = ledger.of(Pipeline(workspace.project_id, *name))
            with locked(of_pipeline):
                ids = record or [each.record_id for each in of_pipeline.failures()]
                count += of_pipeline.dismiss(ids)
    if json_output:
        typer.echo(json.dumps({"dismissed": count}))
    else:
        output.print(f"{count} dismissed.")


def _listed(
    workspace: Workspace, integration: str | None, sync_type: str | None, *, skipped: bool
) -> dict[PipelineRef, list[RecordFailure] | list[SkippedRecord]]:
    from managed_sync.indexing import Ledger, Pipeline

    found: dict[PipelineRef, list[RecordFailure] | list[SkippedRecord]] = {}
    with Ledger(workspace.ledger) as ledger:
        for name in workspace.chosen_pipelines(integration, sync_type):
            of_pipeline = ledger.of(Pipeline(workspace.project_id, *name))
            found[name] = of_pipeline.skipped() if skipped else of_pipeline.failures()
    return found


def _pipelines(
    workspace: Workspace, integration: str | None, sync_type: str | None, records: list[str] | None
) -> list[PipelineRef]:
    """Returns the chosen pipelines; only one if single records are named."""
    chosen = workspace.chosen_pipelines(integration, sync_type)
    if records and len(chosen) > 1:
        raise ConfigurationError("Name the pipeline of these records, such as googleDrive files.")
    if records:
        _require_failed(workspace, chosen[0], records)
    return chosen


def _require_failed(workspace: Workspace, name: PipelineRef, records: list[str]) -> None:
    from managed_sync.indexing import Ledger, Pipeline

    with Ledger(workspace.ledger) as ledger:
        known = ledger.of(Pipeline(workspace.project_id, *name)).failed_ids()
    if unknown := [record for record in records if record not in known]:
        raise typer.BadParameter(
            f"{name} has no failed record with the id {unknown[0]!r}. Pass a complete id, as "
            "`managed-sync failures list` prints it.",
            param_hint="'--record'",
        )
