"""The command index."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from managed_sync.cli.index_report import (
    as_json,
    described,
    print_plans,
    print_reports,
    print_verification,
)
from managed_sync.cli.options import (
    DEFAULT_WORKSPACE,
    OptionalIntegration,
    OptionalSyncType,
    WorkspaceOption,
    chosen_pipelines,
)
from managed_sync.cli.output import progress_display, progress_output, wait_for_sync
from managed_sync.cli.signals import StopRequest, stop_on_signal
from managed_sync.cli.vector_index import COMFORTABLE_CHUNKS, open_index
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.client import ManagedSyncClient
from managed_sync.errors import (
    ApiStatusError,
    ConfigurationError,
    DeletionsWithheldError,
    ManagedSyncError,
    SyncFailedError,
)

if TYPE_CHECKING:
    from langchain_qdrant import QdrantVectorStore

    from managed_sync.indexing import IndexReport, IndexSync

__all__ = ["index", "index_pipelines", "index_sync", "verify"]

PIPELINE_FAILED = 1
SOME_FAILED = 3
DELETIONS_WITHHELD = 4
DISAGREES = 5
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def index(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
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
            help="Index every record again, as after a change of parser, chunks or embedding.",
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
) -> None:
    """Index new and changed records, and remove deleted ones.

    A pipeline that fails does not stop the others. Exits with status 1 if a pipeline failed; with 3
    if some records are not indexed (see `managed-sync failures`), or if the API listed fewer
    records than it counts; with 4 if deletions were withheld; with 130 or 143 if it was stopped,
    which leaves nothing half done. With --watch it runs until it is stopped, and then exits with 0.
    """
    from managed_sync.indexing.watch import watch as run_again_and_again

    pause = None if watch is None else _seconds(watch)
    if pause is not None and (dry_run or rebuild or allow_deletions or again):
        raise ConfigurationError(
            "--watch cannot be combined with --dry-run, --rebuild, --allow-deletions or --again, "
            "which are for a single run."
        )
    if again and len(chosen_pipelines(Workspace(workspace), integration, sync_type)) > 1:
        raise ConfigurationError(
            "Name the pipeline of the records to read again, such as "
            "`managed-sync index googleDrive files --again /Plans`."
        )
    place = Workspace(workspace)
    with stop_on_signal() as stop, place.connect(is_shared=True, stop=stop) as client:
        options = {
            "dry_run": dry_run,
            "allow_deletions": allow_deletions,
            "rebuild": rebuild,
            "full": full,
            "again": again or (),
            "wait": wait,
        }
        once = partial(
            _run_once,
            place,
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


def verify(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
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
) -> None:
    """Compare the index, its ledger and the source with each other.

    Exits with status 5 if they differ, or after a repair with 3 if some records could not be
    indexed. A record that could not be indexed is not a difference; it is counted and listed.
    """
    place = Workspace(workspace)
    with place.connect() as client, open_index(place) as store:
        sync = index_sync(place, client, store)
        found = {
            name: sync.verify(
                integration=name.integration,
                sync_type=name.sync_type,
                repair=repair,
                remove_unknown=remove_unknown,
            )
            for name in chosen_pipelines(place, integration, sync_type)
        }
    if json_output:
        typer.echo(as_json(found))
    else:
        print_verification(found)
    if any(report.repair and report.repair.failed for report in found.values()):
        raise typer.Exit(SOME_FAILED)
    if not repair and not all(report.agrees for report in found.values()):
        raise typer.Exit(DISAGREES)


def index_pipelines(
    workspace: Workspace,
    client: ManagedSyncClient,
    pipelines: list[PipelineRef],
    *,
    withheld: Callable[[DeletionsWithheldError], None] | None = None,
    failed: Callable[[PipelineRef, Exception], None] | None = None,
    stop: StopRequest | None = None,
    **options: Any,
) -> dict[PipelineRef, IndexReport]:
    """Loads, splits, embeds and indexes pipelines, with progress bars.

    Args:
        workspace: The workspace with index and ledger.
        client: A client of the API.
        pipelines: The pipelines.
        withheld: Called if a pipeline's deletions are withheld; without it, the error is raised.
        failed: Called if a pipeline cannot be indexed; without it, the error is raised.
        stop: Ends the run early.
        options: Options of ``IndexSync.run``.
    """
    from managed_sync.cli.index_progress import index_progress

    reports = {}
    with open_index(workspace, stop=stop) as store, index_progress(progress_output) as meter_for:
        sync = index_sync(workspace, client, store)
        for name in pipelines:
            integration, sync_type = name
            try:
                reports[name] = sync.run(
                    integration=integration,
                    sync_type=sync_type,
                    on_progress=meter_for(str(name)),
                    stop=stop,
                    **options,
                )
            except DeletionsWithheldError as error:
                if withheld is None:
                    raise
                withheld(error)
                reports[name] = error.report
            except Exception as error:
                if failed is None:
                    raise
                failed(name, error)
            if stop is not None and stop.is_set():
                break
        _warn_of_size(store)
    return reports


def _run_once(
    place: Workspace,
    client: ManagedSyncClient,
    chosen: tuple[str | None, str | None],
    *,
    options: dict[str, Any],
    stop: StopRequest,
    as_lines: bool,
) -> int:
    """Runs once over the chosen pipelines; returns the exit status."""
    pipelines = chosen_pipelines(place, *chosen)
    errors: dict[PipelineRef, Exception] = {}
    if place.is_local:
        errors |= _sync_the_folder(client, pipelines, stop)
    withheld: list[DeletionsWithheldError] = []
    reports = index_pipelines(
        place,
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
        return PIPELINE_FAILED
    if withheld:
        return DELETIONS_WITHHELD
    is_short = any(report.failed or report.unlisted for report in reports.values())
    return SOME_FAILED if is_short else 0


def _sync_the_folder(
    client: ManagedSyncClient, pipelines: list[PipelineRef], stop: StopRequest
) -> dict[PipelineRef, Exception]:
    """Syncs the embedded server's folder, so that one command indexes an edit.

    Returns the pipelines whose sync failed, with the errors.
    """
    errors: dict[PipelineRef, Exception] = {}
    with progress_display() as progress:
        for name in pipelines:
            try:
                client.enable_sync(*name)
            except ApiStatusError as error:
                errors[name] = error
        for name in pipelines:
            if name in errors:
                continue
            try:
                wait_for_sync(progress, client, *name, stop)
            except SyncFailedError as error:
                errors[name] = error
    return errors


def index_sync(place: Workspace, client: ManagedSyncClient, store: QdrantVectorStore) -> IndexSync:
    """Returns the ``IndexSync`` of a workspace."""
    from managed_sync.indexing import IndexSync
    from managed_sync.langchain import LangChainTarget

    return IndexSync(client, LangChainTarget(store), place.ledger)


def _warn_of_size(store: QdrantVectorStore) -> None:
    chunks = store.client.count(store.collection_name).count
    if chunks > COMFORTABLE_CHUNKS:
        progress_output.print(
            f"The index has {chunks:,} chunks. The local index is designed for up to "
            f"{COMFORTABLE_CHUNKS:,}: above that it stays exact, but gets slow. Use IndexSync with "
            f"a Qdrant server or PostgreSQL instead.",
            style="yellow",
        )


def _seconds(pause: str) -> float:
    match = re.fullmatch(r"(\d+)([smhd]?)", pause.strip())
    if match is None or int(match[1]) == 0:
        raise ConfigurationError(
            f"--watch must be a pause such as 60s, 15m, 1h or 1d, got {pause!r}."
        )
    return float(int(match[1]) * _UNITS[match[2] or "s"])
