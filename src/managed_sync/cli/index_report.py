"""The reports of runs and verifications, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.filesize import decimal

from managed_sync.cli.output import output, plain_table
from managed_sync.cli.workspace import PipelineRef
from managed_sync.errors import ManagedSyncError

if TYPE_CHECKING:
    from managed_sync.indexing import IndexReport, RecordFailure, VerificationReport

__all__ = [
    "as_json",
    "described",
    "failure_line",
    "print_plans",
    "print_reports",
    "print_verification",
]

_SIGNS = {"add": "+", "update": "~", "delete": "-"}
_MAX_PLANNED_CHANGES = 50


def print_reports(reports: Mapping[PipelineRef, IndexReport]) -> None:
    """Prints a line for each pipeline, and one for each record that is not indexed."""
    table = plain_table("pipeline", "added", "updated", "same", "deleted", "failed", "embedded")
    for pipeline, report in reports.items():
        counts = (*_counts(report), report.chunks_embedded)
        table.add_row(str(pipeline), *(f"{count:,}" for count in counts))
    output.print(table)
    output.print(
        f"{sum(report.chunks_embedded for report in reports.values()):,} chunks embedded, "
        f"{sum(report.chunks_reused for report in reports.values()):,} reused; "
        f"{decimal(sum(report.bytes for report in reports.values()))} of text read; "
        f"{sum(report.seconds for report in reports.values()):.1f} s.",
        style="dim",
    )
    if any(report.changes_only for report in reports.values()):
        output.print(
            "This run read only the changes since the last run. Deletions are found by comparing "
            "all records: once a day, or now with --full.",
            style="dim",
            soft_wrap=True,
        )
    if skipped := sum(len(report.skipped) for report in reports.values()):
        output.print(
            f"{skipped:,} skipped: empty files, pictures and others without text; "
            f"`managed-sync failures list --skipped` names them.",
            style="dim",
            soft_wrap=True,
        )
    _print_failures(reports)
    for pipeline, report in reports.items():
        _print_doubts(pipeline, report)
    if not all(report.complete or report.unlisted for report in reports.values()):
        output.print("Stopped; the next run continues from here.")


def _print_doubts(pipeline: PipelineRef, report: IndexReport) -> None:
    """Prints deletions that the API did not confirm, and records that it did not list."""
    if report.unconfirmed:
        output.print(
            f"{pipeline}: {len(report.unconfirmed):,} records seem to be deleted, but the API did "
            f"not confirm it; they stay in the index until it does.",
            markup=False,
            soft_wrap=True,
        )
    if report.unlisted:
        output.print(
            f"{pipeline}: the API counts {report.unlisted:,} more records than it listed, so some "
            f"may be missing in the index. Run again; if that does not help, check the API.",
            markup=False,
            soft_wrap=True,
        )


def print_plans(reports: Mapping[PipelineRef, IndexReport]) -> None:
    """Prints the changes that runs would make."""
    table = plain_table("pipeline", "to add", "to check", "same", "to delete", "failed before")
    for pipeline, report in reports.items():
        table.add_row(str(pipeline), *(f"{count:,}" for count in _counts(report)))
    output.print(table)
    for report in reports.values():
        for change in report.changes[:_MAX_PLANNED_CHANGES]:
            output.print(f"{_SIGNS[change.kind]} {change.title}", markup=False, soft_wrap=True)
        more = report.added + report.updated + report.deleted - _MAX_PLANNED_CHANGES
        if more > 0:
            output.print(f"… and {more:,} more")
    for pipeline, report in reports.items():
        _print_doubts(pipeline, report)
        if report.withheld:
            output.print(
                f"{pipeline}: a run would withhold these deletions, since there are too many; pass "
                f"--allow-deletions to delete them.",
                markup=False,
                soft_wrap=True,
            )
    output.print("Nothing was changed.")


_COUNTS: dict[str, Callable[[VerificationReport], int | None]] = {
    "records": lambda report: report.records,
    "chunks": lambda report: report.chunks,
    "missing": lambda report: report.missing_chunks,
    "changed": lambda report: report.changed_chunks,
    "doubled": lambda report: report.duplicate_chunks,
    "wrong vectors": lambda report: report.wrong_vectors,
    "wrong keywords": lambda report: report.keyword_differences,
    "unknown": lambda report: report.unknown_chunks,
    "unfinished": lambda report: report.unfinished,
    "to index": lambda report: report.source.added + report.source.updated,
    "to delete": lambda report: report.source.deleted,
    "failed": lambda report: len(report.source.failed),
}


def print_verification(found: Mapping[PipelineRef, VerificationReport]) -> None:
    """Prints the differences between the index, the ledger and the source."""
    # One column for each pipeline: as rows, their headers would be cut off at 80 columns.
    table = plain_table("", *(str(pipeline) for pipeline in found))
    for name, count in _COUNTS.items():
        counts = (count(report) for report in found.values())
        table.add_row(name, *("?" if each is None else f"{each:,}" for each in counts))
    output.print(table)
    repairs = {name: report.repair for name, report in found.items() if report.repair}
    if repairs:
        output.print("\nRepaired:")
        print_reports(repairs)
        return
    _print_failures({name: report.source for name, report in found.items()})
    output.print(_verdict(list(found.values())), markup=False, soft_wrap=True)


def _verdict(reports: Sequence[VerificationReport]) -> str:
    """Returns the conclusion of the reports in a few sentences, with the remedy."""
    if any(each.index_disagrees for each in reports):
        verdict = "Index and ledger do not agree; `managed-sync verify --repair` repairs them."
        if any(each.unknown_chunks for each in reports):
            verdict += (
                " It keeps unknown chunks whose records neither the ledger nor the API knows, "
                "since they may belong to another ledger. If there is no other ledger, add "
                "--remove-unknown."
            )
        return verdict
    if any(each.source_has_changed for each in reports):
        return (
            "The source has changed since the last run; `managed-sync index` brings the index up "
            "to date."
        )
    if failed := sum(len(each.source.failed) for each in reports):
        return (
            f"Index, ledger and source agree, except for failed records ({failed:,}). Later runs "
            "retry them; `managed-sync failures list` shows the reasons."
        )
    return "Index, ledger and source agree."


def as_json(
    reports: Mapping[PipelineRef, IndexReport | VerificationReport],
    errors: Mapping[PipelineRef, Exception] | None = None,
) -> str:
    """Returns reports as one line of JSON, with the errors of pipelines that have no report."""
    from managed_sync.indexing import VerificationReport

    pipelines: list[dict[str, Any]] = []
    for name, report in reports.items():
        content = asdict(report)
        if isinstance(report, VerificationReport):
            content["agrees"] = report.agrees
        content = _with_names(content)
        pipelines.append({"integration": name.integration, "sync_type": name.sync_type, **content})
    for name, error in (errors or {}).items():
        names = {"integration": name.integration, "sync_type": name.sync_type}
        pipelines.append({**names, "error": described(error)})
    return json.dumps({"pipelines": pipelines})


def described(error: Exception) -> str:
    """Returns the text of an error, with its class if it is not an error of this package."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ManagedSyncError) else f"{type(error).__name__}: {text}"


def failure_line(failure: RecordFailure) -> str:
    """Returns one failure as a line."""
    times = "" if failure.attempts <= 1 else f" ({failure.attempts} times)"
    return f"Not indexed{times}: {failure.reason}"


def _with_names(content: dict[str, Any]) -> dict[str, Any]:
    """Returns a copy with objects instead of named tuples, which JSON would write as lists."""
    return {
        key: [entry._asdict() if hasattr(entry, "_asdict") else entry for entry in value]
        if isinstance(value, tuple)
        else _with_names(value)
        if isinstance(value, dict)
        else value
        for key, value in content.items()
    }


def _counts(report: IndexReport) -> tuple[int, int, int, int, int]:
    return (report.added, report.updated, report.unchanged, report.deleted, len(report.failed))


def _print_failures(reports: Mapping[PipelineRef, IndexReport]) -> None:
    for report in reports.values():
        for failure in report.failed:
            output.print(failure_line(failure), markup=False, soft_wrap=True)
