"""The commands search, check and explain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding
from rich.text import Text

from managed_sync.cli.excerpts import answering_excerpt
from managed_sync.cli.index_retriever import index_retriever
from managed_sync.cli.objects import object_names, resolve_object
from managed_sync.cli.options import (
    DEFAULT_WORKSPACE,
    Relation,
    RelationOption,
    SubjectOption,
    WorkspaceOption,
)
from managed_sync.cli.output import output
from managed_sync.cli.vector_index import open_filled_index
from managed_sync.cli.workspace import Workspace
from managed_sync.client import ManagedSyncClient
from managed_sync.errors import ConfigurationError
from managed_sync.retrieval.citations import position

if TYPE_CHECKING:
    from langchain_core.documents import Document

    from managed_sync.retrieval import RetrievalReport

__all__ = ["check", "explain", "search"]

_EXCERPT_LENGTH = 300


def search(
    question: Annotated[str, typer.Argument(help="The words to search for.")],
    subject: SubjectOption,
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    passages: Annotated[
        int, typer.Option("--passages", "-k", help="Return at most this many passages.", min=1)
    ] = 6,
    *,
    json_output: Annotated[
        bool, typer.Option("--json", help="Print the passages and the report as JSON.")
    ] = False,
) -> None:
    """Search the index as a user: shows the best passages that the user may read now."""
    if not question.strip():
        raise ConfigurationError(
            "The question must be a few words to search for, got an empty text."
        )
    workspace = Workspace(root)
    with workspace.connect() as client, open_filled_index(workspace) as store:
        retriever = index_retriever(workspace, store, workspace.checker(client), passages)
        documents, report = retriever.retrieve_with_report(question, subject=subject)
        if json_output:
            typer.echo(json.dumps(_as_values(documents, report), ensure_ascii=False, indent=2))
            return
        for rank, document in enumerate(documents, start=1):
            output.print(f"\n{rank}. {position(document.metadata)}", style="bold", markup=False)
            excerpt = answering_excerpt(question, document.page_content, _EXCERPT_LENGTH)
            output.print(Padding(Text(excerpt), (0, 0, 0, 3)))
            if url := document.metadata.get("url"):
                output.print(f"   {url}", style="dim", markup=False, soft_wrap=True)
        output.print(f"\n{_summary(client, report)}", markup=False)


def check(
    objects: Annotated[
        list[str],
        typer.Argument(help="Object ids, or ids in the source, such as /Plan/a.pdf."),
    ],
    subject: SubjectOption,
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    relation: RelationOption = Relation.VIEWER,
) -> None:
    """Check whether a user may read objects. Exits with status 1 unless all are allowed."""
    workspace = Workspace(root)
    with workspace.connect() as client:
        object_ids = [resolve_object(client, workspace.pipelines, name) for name in objects]
        allowed = workspace.checker(client, relation.value).allowed(subject, object_ids)
    for name, object_id in zip(objects, object_ids, strict=True):
        decision = "allowed" if object_id in allowed else "not allowed"
        output.print(f"{decision:<12} {name}", markup=False)
    if not allowed.issuperset(object_ids):
        raise typer.Exit(1)


def explain(
    name: Annotated[
        str,
        typer.Argument(
            metavar="OBJECT", help="An object id, or an id in the source, such as a path."
        ),
    ],
    subject: SubjectOption,
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    relation: RelationOption = Relation.VIEWER,
) -> None:
    """Explain why a user may or may not read an object: the path through groups and folders."""
    from managed_sync.access import explain as in_words

    workspace = Workspace(root)
    with workspace.connect() as client:
        object_id = resolve_object(client, workspace.pipelines, name)
        explanation = in_words(
            client, subject, object_id, relation=relation.value, name=object_names(client)
        )
    output.print(explanation, markup=False)


def _as_values(documents: Sequence[Document], report: RetrievalReport) -> dict[str, Any]:
    """Returns passages and report as values for JSON, without scores, as the text has none."""
    passages = [
        {
            "rank": rank,
            **{
                name: document.metadata.get(name)
                for name in ("title", "object_id", "page", "heading", "url")
            },
            "text": document.page_content,
        }
        for rank, document in enumerate(documents, start=1)
    ]
    values = asdict(report)
    del values["scores"]
    return {"passages": passages, "report": values}


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _summary(client: ManagedSyncClient, report: RetrievalReport) -> str:
    if report.returned == 0 and not client.list_objects(report.subject, "viewer"):
        return (
            f"{report.subject} may read nothing in this project. If you expected results, check "
            f"the address."
        )
    passages, hits = _counted(report.returned, "passage"), _counted(report.candidates, "hit")
    checked = _counted(report.checks, "object")
    # A passage that both rankings have is a hit of each.
    if report.keyword_strategy is None:
        rankings = "vectors"
    else:
        rankings, hits = "vectors and keywords", f"{hits} of both rankings"
    summary = (
        f"{passages} for {report.subject}, by {rankings}; {report.withheld} of {hits} withheld; "
        f"{checked} checked in {report.check_seconds * 1000:.0f} ms."
    )
    if not report.complete:
        summary += f" There may be better ones: {'; '.join(report.doubts)}."
    return summary
