"""The command demo."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from managed_sync.cli.excerpts import answering_excerpt
from managed_sync.cli.index_report import print_reports
from managed_sync.cli.index_retriever import index_retriever
from managed_sync.cli.index_runs import index_pipelines
from managed_sync.cli.options import DEFAULT_WORKSPACE, WorkspaceOption
from managed_sync.cli.output import command_line, output, progress_display, wait_for_sync
from managed_sync.cli.vector_index import open_filled_index
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from managed_sync.client import ManagedSyncClient
    from managed_sync.langchain import PermissionAwareRetriever

__all__ = ["demo"]

_PIPELINES = [
    PipelineRef("googleDrive", "files"),
    PipelineRef("salesforce", "contacts"),
    PipelineRef("salesforce", "deals"),
    PipelineRef("zendesk", "tickets"),
]
_PASSAGES = 3
_EXCERPT_LENGTH = 130
_PEOPLE = {
    "elena@harbor.example": "executive",
    "carol@harbor.example": "finance",
    "maria@harbor.example": "sales",
    "sam@harbor.example": "contractor",
}
_SALARY_QUESTION = "What retention payment is proposed for Bram de Wit?"
_QUESTIONS = [
    "How many unused days of holiday move to the next year and when do they lapse?",
    "What hardware margin do we keep on the Nordfracht deal after the discount?",
    _SALARY_QUESTION,
    "Who translates the Atlas manual into German and for how much?",
]
_REVOKED_USER = "carol@harbor.example"
_GRANT_BEFORE = "owner: [group:people], editor: [carol@harbor.example]"
_GRANT_AFTER = "owner: [group:people]"


def demo(root: WorkspaceOption = DEFAULT_WORKSPACE) -> None:
    """Run the main job on a sample company: sync, load, index, and search as four people.

    Needs no account and no network. The other commands can use its workspace afterwards; running
    it again brings the workspace up to date.
    """
    started = time.perf_counter()
    workspace = Workspace(root)
    _prepare_company(workspace)
    with (
        workspace.server() as server,
        workspace.announce(server.base_url),
        workspace.connect() as client,
    ):
        _heading("1. A Managed Sync server over a sample company")
        output.print(f"{server.base_url}, this machine only, serves {workspace.source_folder}")
        _sync_everything(workspace, client)
        _index_everything(workspace, client)
        _ask(workspace, client)
    _print_next_steps(workspace, time.perf_counter() - started)


def _prepare_company(workspace: Workspace) -> None:
    """Copies the sample company into the workspace, with its original permissions."""
    from managed_sync.sample_company import company_folder, copy_company

    workspace.serve_from(workspace.company_folder)
    if workspace.company_folder.is_dir() and any(workspace.company_folder.iterdir()):
        shutil.copyfile(
            company_folder() / "permissions.yaml", workspace.company_folder / "permissions.yaml"
        )
    else:
        copy_company(workspace.company_folder)


def _sync_everything(workspace: Workspace, client: ManagedSyncClient) -> None:
    _heading("2. Enable its pipelines, and wait for the syncs")
    with progress_display() as progress:
        for pipeline in _PIPELINES:
            client.enable_sync(*pipeline)
        for pipeline in _PIPELINES:
            wait_for_sync(progress, client, *pipeline)
            workspace.remember(pipeline)


def _index_everything(workspace: Workspace, client: ManagedSyncClient) -> None:
    _heading("3. Load every record and file, parse, chunk, embed, and index")
    reports = index_pipelines(workspace, client, _PIPELINES)
    print_reports(reports)


def _ask(workspace: Workspace, client: ManagedSyncClient) -> None:
    with open_filled_index(workspace) as store:
        retriever = index_retriever(workspace, store, workspace.checker(client), _PASSAGES)
        _heading(f"4. Search with the same questions as four people, {_PASSAGES} passages each")
        output.print(
            "Vectors and keywords are searched. A hit of both is counted twice.", style="dim"
        )
        for question in _QUESTIONS:
            columns = {
                f"{user.partition('@')[0]}, {role}": _answer(retriever, question, user)
                for user, role in _PEOPLE.items()
            }
            _print_side_by_side(question, columns)
        _heading(f"5. Revoke {_REVOKED_USER}'s access to /People/Compensation in the source")
        before = _answer(retriever, _SALARY_QUESTION, _REVOKED_USER)
        _revoke(workspace, client)
        after = _answer(retriever, _SALARY_QUESTION, _REVOKED_USER)
        _print_side_by_side(_SALARY_QUESTION, {"carol, before": before, "carol, after": after})


def _answer(retriever: PermissionAwareRetriever, question: str, user: str) -> Text:
    """Returns what answers in the first passage, all titles, and the number of withheld hits."""
    documents, report = retriever.retrieve_with_report(question, subject=user)
    titles = [f"• {document.metadata['title']}" for document in documents]
    text = Text()
    if documents:
        excerpt = answering_excerpt(question, documents[0].page_content, _EXCERPT_LENGTH)
        text.append(f"{excerpt}\n\n", style="green")
    text.append("\n".join(titles) or "nothing")
    text.append(f"\n{report.withheld} of {report.candidates} withheld", style="dim")
    return text


def _print_side_by_side(question: str, columns: dict[str, Text]) -> None:
    output.print(f"\n“{question}”", style="bold")
    table = Table(expand=True, show_edge=False)
    for name in columns:
        table.add_column(name, ratio=1)
    table.add_row(*columns.values())
    output.print(table)


def _revoke(workspace: Workspace, client: ManagedSyncClient) -> None:
    """Changes the source, and lets the server sync it; the index is not touched."""
    permissions = workspace.company_folder / "permissions.yaml"
    text = permissions.read_text(encoding="utf-8")
    if _GRANT_BEFORE not in text:
        raise ConfigurationError(
            f"{permissions} is not the sample company's any more. Remove {workspace.root} to start "
            "over."
        )
    permissions.write_text(text.replace(_GRANT_BEFORE, _GRANT_AFTER), encoding="utf-8")
    started = time.perf_counter()
    client.enable_sync("googleDrive", "files")
    client.wait_until_idle("googleDrive", "files")
    output.print(
        f"Removed one grant from {permissions.name}, synced in "
        f"{time.perf_counter() - started:.1f} s. The index was not touched."
    )


def _print_next_steps(workspace: Workspace, seconds: float) -> None:
    _heading(f"6. Done in {seconds:.0f} s. Try next")
    question = "What discount may I give without asking?"
    for arguments in (
        f'search --as maria@harbor.example "{question}"',
        f'search --as sam@harbor.example "{question}"',
        "explain --as carol@harbor.example '/Legal/Kingfisher/Kingfisher term sheet.docx'",
        "status",
    ):
        output.print(command_line(workspace.root, arguments), markup=False, soft_wrap=True)
    output.print(
        f"\nOr change files and permissions in {workspace.company_folder}, then:", soft_wrap=True
    )
    for arguments in ("enable googleDrive files", "index"):
        output.print(command_line(workspace.root, arguments), markup=False, soft_wrap=True)


def _heading(text: str) -> None:
    output.print(f"\n{text}", style="bold cyan")
