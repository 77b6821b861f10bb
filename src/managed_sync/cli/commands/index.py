"""The command index."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, Any

import typer

from managed_sync.cli.index_report import as_json, described, print_plans, print_reports
from managed_sync.cli.index_runs import ExitStatus, index_pipelines
from managed_sync.cli.options import (
    DEFAULT_WORKSPACE,
    OcrOption,
    OptionalIntegration,
    OptionalSyncType,
    WorkspaceOption,
)
from managed_sync.cli.output import progress_display, progress_output, wait_for_sync
from managed_sync.cli.signals import StopRequest, stop_on_signal
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.client import ManagedSyncClient
from managed_sync.errors import (
    ApiStatusError,
    ConfigurationError,
    DeletionsWithheldError,
    ManagedSyncError,
    SyncFailedError,
)

__all__ = ["index"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def index(
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    integration: OptionalIntegration = None,
    sync_type: OptionalSyncType = None,
    *,
    watch: Annotated[
        str | None,
        typer.Option(help="Run repeatedly, with this pause: 60s, 15m, 1h.", metavar="PAUSE"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON, one line for each run.")
    ] = False,
    allow_deletions: Annotated[
        bool,
        typer.Option(
            "--allow-deletions",
            help="Delete even if more than 30 % of the records, and at least 20, are gone.",
        ),
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild",
            help="Index every record again, as after a change of parser or chunks. Another "
            "embedding needs another --workspace.",
        ),
    ] = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="Compare every record, and retry failed records at once."),
    ] = False,
    again: Annotated[
        list[str] | None,
        typer.Option(
            help="Read this record, or all records in this folder, again, even if unchanged: by "
            "path in the source or by id. Name the pipeline, too. Can be given several times.",
            metavar="PATH",
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for another run on the same pipeline.", min=0)
    ] = 0.0,
    ocr: OcrOption = "",
    embedding: Annotated[
        str,
        typer.Option(
            help="The embedding model of a new index, such as ollama:nomic-embed-text. The "
            "workspace keeps it, and other commands use it. Without one, the bundled model.",
            metavar="PROVIDER:MODEL",
        ),
    ] = "",
) -> None:
    """Index new and changed records, and remove deleted ones.

    With the embedded server, a named pipeline that is not enabled yet is enabled first. A pipeline
    that fails does not stop the others. Exits with status 1 if a pipeline failed; with 3 if some
    records are not indexed (see `managed-sync failures`), or if the API listed fewer records than
    it counts; with 4 if deletions were withheld; with 130 or 143 if it was stopped, which leaves
    nothing half done. With --watch it runs until it is stopped, and then exits with 0.
    """
    from managed_sync.indexing.watch import watch as run_again_and_again

    pause = None if watch is None else _seconds(watch)
    if pause is not None and (dry_run or rebuild or allow_deletions or again):
        raise ConfigurationError(
            "--watch cannot be combined with --dry-run, --rebuild, --allow-deletions or --again, "
            "which are for a single run."
        )
    if again and len(Workspace(root).chosen_pipelines(integration, sync_type)) > 1:
        raise ConfigurationError(
            "Name the pipeline of the records to read again, such as "
            "`managed-sync index googleDrive files --again /Plans`."
        )
    workspace = Workspace(root)
    if embedding:
        _check_embedding(workspace, embedding, dry_run=dry_run)
    with stop_on_signal() as stop, workspace.connect(is_shared=True, stop=stop) as client:
        options = {
            "dry_run": dry_run,
            "allow_deletions": allow_deletions,
            "rebuild": rebuild,
            "full": full,
            "again": again or (),
            "wait": wait,
            "ocr": ocr,
            "embedding": embedding,
        }
        once = partial(
            _run_once,
            workspace,
            client,
            (integration, sync_type),
            options=options,
            stop=stop,
            as_lines=json_output,
        )
        if pause is None:
            raise typer.Exit(once())

        def note(error: ManagedSyncError, seconds: float) -> None:
            progress_output.print(
                f"Error: {error}\nTrying again in {seconds:.0f} s.", markup=False, soft_wrap=True
            )

        def work() -> None:
            once()  # the exit status is for a single run; with --watch, another run follows

        run_again_and_again(work, every=pause, stop=stop, on_error=note)


def _check_embedding(workspace: Workspace, embedding: str, *, dry_run: bool) -> None:
    """Makes sure that the workspace can take this model, and then that it can be loaded."""
    from managed_sync.langchain.embeddings import load_embeddings

    if dry_run:
        raise ConfigurationError(
            "--embedding cannot be combined with --dry-run, which changes nothing."
        )
    workspace.require_embedding(embedding)
    load_embeddings(embedding)


def _run_once(
    workspace: Workspace,
    client: ManagedSyncClient,
    chosen: tuple[str | None, str | None],
    *,
    options: dict[str, Any],
    stop: StopRequest,
    as_lines: bool,
) -> int:
    """Runs once over the chosen pipelines; returns the exit status."""
    pipelines = workspace.chosen_pipelines(*chosen)
    errors: dict[PipelineRef, Exception] = {}
    if workspace.is_local:
        errors |= _sync_the_folder(workspace, client, pipelines, stop)
    withheld: list[DeletionsWithheldError] = []
    reports = index_pipelines(
        workspace,
        client,
        [name for name in pipelines if name not in errors],
        withheld=withheld.append,
        failed=errors.__setitem__,
        stop=stop,
        **options,
    )
    if len(errors) == len(pipelines):
        raise next(iter(errors.values()))
    if as_lines:
        typer.echo(as_json(reports, errors))
    elif options["dry_run"]:
        print_plans(reports)
    else:
        print_reports(reports)
    for error in withheld:
        progress_output.print(f"Error: {error}", markup=False, soft_wrap=True)
    for name, problem in errors.items():
        progress_output.print(
            f"Error: {name} was left as it is: {described(problem)}", markup=False, soft_wrap=True
        )
    if stop.is_set():
        return stop.status
    if errors:
        return ExitStatus.PIPELINE_FAILED
    if withheld:
        return ExitStatus.DELETIONS_WITHHELD
    is_short = any(report.failed or report.unlisted for report in reports.values())
    return ExitStatus.SOME_FAILED if is_short else 0


def _sync_the_folder(
    workspace: Workspace,
    client: ManagedSyncClient,
    pipelines: list[PipelineRef],
    stop: StopRequest,
) -> dict[PipelineRef, Exception]:
    """Syncs the embedded server's folder, so that one command indexes an edit.

    Returns the pipelines whose sync failed, with the errors.
    """
    errors: dict[PipelineRef, Exception] = {}
    with progress_display() as progress:
        for name in pipelines:
            try:
                workspace.enable(client, name)
            except (ApiStatusError, ConfigurationError) as error:
                errors[name] = error
            else:
                workspace.remember(name)
        for name in pipelines:
            if name in errors:
                continue
            try:
                wait_for_sync(progress, client, *name, stop)
            except SyncFailedError as error:
                errors[name] = error
    return errors


def _seconds(pause: str) -> float:
    match = re.fullmatch(r"(\d+)([smhd]?)", pause.strip())
    if match is None or int(match[1]) == 0:
        raise ConfigurationError(
            f"--watch must be a pause such as 60s, 15m, 1h or 1d, got {pause!r}."
        )
    return float(int(match[1]) * _UNITS[match[2] or "s"])
