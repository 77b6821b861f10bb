"""The command evaluate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from managed_sync.cli.index_retriever import index_retriever
from managed_sync.cli.objects import resolve_objects
from managed_sync.cli.options import DEFAULT_WORKSPACE, WorkspaceOption
from managed_sync.cli.output import output, plain_table, progress_display
from managed_sync.cli.signals import stop_on_signal
from managed_sync.cli.vector_index import open_filled_index
from managed_sync.cli.workspace import Workspace
from managed_sync.client import ManagedSyncClient
from managed_sync.errors import ConfigurationError

if TYPE_CHECKING:
    from managed_sync.access import AccessChecker
    from managed_sync.evaluation import Evaluation, EvaluationQuestion, Outcome
    from managed_sync.evaluation.report import Grouping
    from managed_sync.langchain import PermissionAwareRetriever

__all__ = ["evaluate"]


def evaluate(
    questions: Annotated[
        Path | None,
        typer.Argument(
            help="A YAML file with questions; without one, the sample company's own questions.",
            dir_okay=False,
            metavar="[QUESTIONS.YAML]",
        ),
    ] = None,
    root: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    users: Annotated[
        list[str] | None,
        typer.Option(
            "--as",
            help="A user who asks every question, in place of those in the file. Can be given "
            "several times.",
            metavar="USER",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(help="Ask only the questions of this split, such as report.")
    ] = "",
    passages: Annotated[
        int, typer.Option("--passages", "-k", help="Return at most this many passages.", min=1)
    ] = 6,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the result into this file, such as answers.svg.", dir_okay=False),
    ] = None,
) -> None:
    """Measure how good the answers of the index are, with questions whose answers are known.

    Asks each question as its users, and shows how often a passage with the answer is the first,
    among three and among six, how much of what the user may read was found, how many passages were
    returned that their user may not read (leaks), and the time of a question. Exits with status 1
    after a leak.
    """
    if plot is not None:
        _check_picture(plot)
    workspace = Workspace(root)
    asked = _chosen(questions, split)
    with workspace.connect() as client, open_filled_index(workspace) as store:
        checker = workspace.checker(client)
        retriever = index_retriever(workspace, store, checker, passages)
        objects = _objects(workspace, client, asked, is_sample=questions is None)
        evaluation = _evaluation(retriever, asked, checker, objects, users or [])
    if json_output:
        typer.echo(json.dumps(evaluation.as_dict(), ensure_ascii=False, indent=2))
    else:
        _print(evaluation, len(asked))
    if plot is not None:
        evaluation.plot(plot)
    if evaluation.figures().unauthorized:
        raise typer.Exit(1)


def _check_picture(file: Path) -> None:
    # Questions take minutes, so that a mistake in the name is reported before.
    from managed_sync.evaluation.plot import check_picture

    check_picture(file)


def _chosen(file: Path | None, split: str) -> list[EvaluationQuestion]:
    if file is None:
        from managed_sync.sample_company import questions

        found = questions()
    else:
        from managed_sync.evaluation import load_questions

        found = load_questions(file)
    chosen = [question for question in found if not split or question.split == split]
    if not chosen:
        splits = ", ".join(sorted({question.split for question in found} - {""})) or "no split"
        raise ConfigurationError(f"No question has the split {split!r}; the file has {splits}.")
    return chosen


def _evaluation(
    retriever: PermissionAwareRetriever,
    questions: Sequence[EvaluationQuestion],
    checker: AccessChecker,
    objects: Mapping[str, str],
    users: Sequence[str],
) -> Evaluation:
    """Asks the questions, with a progress bar, until they end or the command must stop."""
    from managed_sync.evaluation import evaluate

    # Each question is asked by several users.
    total = sum(len(users or question.asked_by) for question in questions)
    with stop_on_signal() as stop, progress_display() as progress:
        task = progress.add_task(f"Asking {len(questions)} questions", total=total, unit="times")

        def note(_: Outcome) -> None:
            progress.advance(task)
            stop.raise_if_set()

        return evaluate(
            retriever, questions, checker=checker, objects=objects, users=users, on_outcome=note
        )


def _objects(
    workspace: Workspace,
    client: ManagedSyncClient,
    questions: Sequence[EvaluationQuestion],
    *,
    is_sample: bool,
) -> dict[str, str]:
    """Returns the object id of each object that the questions name."""
    named = {answer.object: None for question in questions for answer in question.answers}
    try:
        return resolve_objects(client, workspace.pipelines, named)
    except ConfigurationError as error:
        if not is_sample:
            raise
        raise ConfigurationError(
            f"This index is not the sample company's, as `managed-sync demo` makes it. Name a file "
            f"with questions about your own records. ({error})"
        ) from None


def _print(evaluation: Evaluation, questions: int) -> None:
    from managed_sync.evaluation.report import COLUMNS

    groupings: list[Grouping] = ["user", "kind", "split"]
    for grouping in groupings:
        table = plain_table(grouping, *COLUMNS, wraps_first=True)
        for row in evaluation.rows(grouping):
            table.add_row(*row)
        output.print()
        output.print(table)
    figures = evaluation.figures()
    output.print(
        f"\n{questions} questions, asked {figures.asked} times; {figures.counted} times, the user "
        f"may read an answer. Leaks: {figures.unauthorized}."
    )
