"""The commands that keep the index in step: index, verify."""

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
from managed_sync.cli.workspace import PipelineName, Workspace
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
        typer.Option(help="Run again and again, with this pause: 60s, 15m, 1h.", metavar="PAUSE"),
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
            help="Index every record anew, as after a change of parser, chunks or embedding.",
        ),
    ] = False,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Compare every record, and try again at once what failed before."
        ),
    ] = False,
    again: Annotated[
        list[str] | None,
        typer.Option(
            help="Read this record again, or all in this folder, though it did not change: by its "
            "path in the source or its id. Name the pipeline too. Can be given several times.",
            metavar="PATH",
        ),
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for another run on the same pipeline.", min=0)
    ] = 0.0,
) -> None:
    """Index what is new or changed, and remove what is gone from the source.

    A pipeline that fails does not hold up the others. Exits with status 1 if one failed; with 3 if
    some records are not indexed, which `managed-sync failures` lists, or if the API did not list
    all that it counts; with 4 if deletions were withheld; with 130 or 143 if it was stopped, which
    leaves nothing half done. With --watch it runs until it is stopped, and exits with 0 then.
    """
    from managed_sync.indexing.watch import watch as run_again_and_again

    pause = None if watch is None else _seconds(watch)
    if pause is not None and (dry_run or rebuild or allow_deletions or again):
        raise ConfigurationError(
            "--watch goes with none of --dry-run, --rebuild, --allow-deletions and --again: these "
            "are for a single run."
        )
    if again and len(chosen_pipelines(Workspace(workspace), integration, sync_type)) > 1:
        raise ConfigurationError(
            "Say of which pipeline to read records again, such as "
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
            once()  # its status is for a single run: the next one comes anyway

        run_again_and_again(work, every=pause, stop=stop, on_error=note)


def verify(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    integration: OptionalIntegration = None,
    sync_type: OptionalSyncType = None,
    *,
    repair: Annotated[
        bool, typer.Option("--repair", help="Put right what does not agree.")
    ] = False,
    remove_unknown: Annotated[
        bool,
        typer.Option(
            "--remove-unknown",
            help="With --repair: remove chunks of records that neither the ledger nor the API "
            "knows. Only if no other ledger writes into the same collection.",
        ),
    ] = False,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print what was found as JSON.")
    ] = False,
) -> None:
    """Compare the index, its ledger and the source with each other.

    Exits with status 5 if they do not agree, or after a repair with 3 if some records could not be
    indexed. A record that is put aside is no disagreement; it is counted and named.
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
    pipelines: list[PipelineName],
    *,
    withheld: Callable[[DeletionsWithheldError], None] | None = None,
    failed: Callable[[PipelineName, Exception], None] | None = None,
    stop: StopRequest | None = None,
    **options: Any,
) -> dict[PipelineName, IndexReport]:
    """Loads, splits, embeds and indexes pipelines, behind progress bars.

    ``withheld`` is called when a pipeline's deletions are withheld, ``failed`` when a pipeline
    cannot be indexed, which otherwise raise; the options are those of ``IndexSync.run``.
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
    """One run over all pipelines; gives the exit status."""
    pipelines = chosen_pipelines(place, *chosen)
    errors: dict[PipelineName, Exception] = {}
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
    client: ManagedSyncClient, pipelines: list[PipelineName], stop: StopRequest
) -> dict[PipelineName, Exception]:
    """Lets the embedded server read its folder, so that an edit is indexed by one command.

    Returns the pipelines whose sync failed, with the reasons.
    """
    errors: dict[PipelineName, Exception] = {}
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
    """What keeps the workspace's index in step."""
    from managed_sync.indexing import IndexSync
    from managed_sync.langchain import LangChainTarget

    return IndexSync(client, LangChainTarget(store), place.ledger)


def _warn_of_size(store: QdrantVectorStore) -> None:
    chunks = store.client.count(store.collection_name).count
    if chunks > COMFORTABLE_CHUNKS:
        progress_output.print(
            f"The index holds {chunks:,} chunks. The local one is made for up to "
            f"{COMFORTABLE_CHUNKS:,}: it stays exact, but gets slow. For more, use IndexSync with "
            f"a Qdrant server or PostgreSQL.",
            style="yellow",
        )


def _seconds(pause: str) -> float:
    match = re.fullmatch(r"(\d+)([smhd]?)", pause.strip())
    if match is None or int(match[1]) == 0:
        raise ConfigurationError(f"{pause!r} is not a pause; write 60s, 15m, 1h or 1d.")
    return float(int(match[1]) * _UNITS[match[2] or "s"])
