"""The commands failures list, failures retry and failures dismiss."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer
from rich.padding import Padding
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
from managed_sync.cli.output import output
from managed_sync.cli.signals import stop_on_signal
from managed_sync.cli.vector_index import open_index
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from managed_sync.indexing import Ledger, RecordFailure, SkippedRecord
    from managed_sync.indexing.ledger.ledger import PipelineLedger

__all__ = ["failures"]

failures = typer.Typer(
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
    if not any(found.values()):
        output.print("There are none.")
    for name, records in found.items():
        for record in records:
            # An id is never cut into lines, so that it can be copied; a reason reads as a text.
            attempts = getattr(record, "attempts", 0)
            times = f", {attempts} attempts" if attempts > 1 else ""
            output.print(Text(f"{record.record_id}  ({name}{times})"), soft_wrap=True)
            output.print(Padding(Text(record.reason), (0, 0, 0, 4)))


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
    from managed_sync.indexing import Ledger
    from managed_sync.indexing.ledger.locks import locked

    if bool(record) == everything:
        raise ConfigurationError("Name the records to dismiss with --record ID, or pass --all.")
    workspace = Workspace(root)
    count = 0
    chosen = _pipelines(workspace, integration, sync_type, record)
    with Ledger(workspace.ledger) as ledger:
        for of_pipeline in _parts(ledger, workspace, chosen).values():
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
    from managed_sync.indexing import Ledger

    chosen = workspace.chosen_pipelines(integration, sync_type)
    with Ledger(workspace.ledger) as ledger:
        return {
            name: part.skipped() if skipped else part.failures()
            for name, part in _parts(ledger, workspace, chosen).items()
        }


def _parts(
    ledger: Ledger, workspace: Workspace, names: list[PipelineRef]
) -> dict[PipelineRef, PipelineLedger]:
    """Returns the ledgers of those pipelines that were indexed.

    Raises:
        ConfigurationError: A pipeline was neither indexed nor enabled from this workspace.
    """
    indexed = {
        PipelineRef(known.integration, known.sync_type): known
        for known in ledger.pipelines(workspace.project_id)
    }
    known_names = dict.fromkeys([*workspace.pipelines, *indexed])
    if unknown := [name for name in names if name not in known_names]:
        known = ", ".join(map(str, known_names)) or "none"
        raise ConfigurationError(
            f"There is no pipeline {unknown[0]} in this workspace. Its pipelines: {known}."
        )
    return {name: ledger.of(indexed[name]) for name in names if name in indexed}


def _pipelines(
    workspace: Workspace, integration: str | None, sync_type: str | None, records: list[str] | None
) -> list[PipelineRef]:
    """Returns the chosen pipelines; only one if single records are named."""
    from managed_sync.indexing import Ledger

    chosen = workspace.chosen_pipelines(integration, sync_type)
    if records and len(chosen) > 1:
        raise ConfigurationError("Name the pipeline of these records, such as googleDrive files.")
    with Ledger(workspace.ledger) as ledger:
        parts = _parts(ledger, workspace, chosen).values()
        failed = {record for part in parts for record in part.failed_ids()} if records else set()
    if unknown := [record for record in records or () if record not in failed]:
        raise typer.BadParameter(
            f"{chosen[0]} has no failed record with the id {unknown[0]!r}. Pass a complete id, as "
            "`managed-sync failures list` prints it.",
            param_hint="'--record'",
        )
    return chosen
