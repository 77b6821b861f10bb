"""Arguments and options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = [
    "DEFAULT_WORKSPACE",
    "IntegrationArgument",
    "OcrOption",
    "OptionalIntegration",
    "OptionalSyncType",
    "Relation",
    "RelationOption",
    "SubjectOption",
    "SyncTypeArgument",
    "WorkspaceOption",
]

_INTEGRATION_HELP = "The integration of the records, such as googleDrive."
_SYNC_TYPE_HELP = "The type of the records: files, contacts, deals, tickets."

IntegrationArgument: TypeAlias = Annotated[str, typer.Argument(help=_INTEGRATION_HELP)]
SyncTypeArgument: TypeAlias = Annotated[str, typer.Argument(help=_SYNC_TYPE_HELP)]
OptionalIntegration: TypeAlias = Annotated[
    str | None, typer.Argument(help=f"{_INTEGRATION_HELP} Leave both out for every pipeline.")
]
OptionalSyncType: TypeAlias = Annotated[str | None, typer.Argument(help=_SYNC_TYPE_HELP)]


def _require_subject(subject: str) -> str:
    if not subject.strip():
        raise typer.BadParameter("must name the user who asks, such as alice@example.com.")
    return subject


SubjectOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--as",
        help="The user who asks, such as alice@example.com.",
        metavar="USER",
        callback=_require_subject,
    ),
]


class Relation(StrEnum):
    """The relations of a check; any other one is an error, not a denial."""

    VIEWER = "viewer"
    EDITOR = "editor"
    OWNER = "owner"
    MEMBER = "member"


RelationOption: TypeAlias = Annotated[Relation, typer.Option(help="The relation to check.")]
DEFAULT_WORKSPACE = Path(".managed-sync")
WorkspaceOption: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--workspace",
        help="The folder that holds the index, its ledger and the embedded server's state.",
        envvar="MANAGED_SYNC_WORKSPACE",
        file_okay=False,
    ),
]
OcrOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--ocr",
        help="Read pictures and scans, too, in these languages of Tesseract: eng, or eng+deu. "
        "Name the same ones for `index`, `verify` and `failures retry`, or set MANAGED_SYNC_OCR.",
        metavar="LANGUAGES",
        envvar="MANAGED_SYNC_OCR",
    ),
]
