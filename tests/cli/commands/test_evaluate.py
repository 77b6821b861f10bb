"""The command evaluate, over an index of a small company."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from managed_sync.cli.app import app
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.errors import ConfigurationError
from managed_sync.evaluation.report import COLUMNS

ANN, BOB = "ann@x.example", "bob@x.example"
QUESTIONS = f"""\
- question: How many days of leave does everybody have?
  answer_in: /Board/leave.md
  passage: thirty days of leave
  asked_by: [{ANN}, {BOB}]
  kind: fact
  split: report
- question: What is served for lunch?
  answer_in: /Public/lunch.md
  passage: soup
  asked_by: [{BOB}]
  kind: fact
  split: tune
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An indexed workspace with a file for Ann and one for everybody."""
    folder = tmp_path_factory.mktemp("evaluate")
    files = folder / "company" / "files"
    for path, text in {
        "Board/leave.md": "Everybody has thirty days of leave.\n",
        "Public/lunch.md": "For lunch there is soup.\n",
    }.items():
        (files / path).parent.mkdir(parents=True)
        (files / path).write_text(text)
    (folder / "company" / "permissions.yaml").write_text(
        f"users: [{ANN}, {BOB}]\n"
        f"files:\n  /Board: {{viewer: [{ANN}]}}\n  /Public: {{viewer: [public]}}\n"
    )
    (folder / "questions.yaml").write_text(QUESTIONS)
    workspace = Workspace(folder / "workspace")
    workspace.serve_from(folder / "company")
    with workspace.server() as server, workspace.announce(server.base_url):
        with workspace.connect() as client:
            client.enable_sync("googleDrive", "files")
            client.wait_until_idle("googleDrive", "files")
            workspace.remember(PipelineRef("googleDrive", "files"))
        assert run(workspace.root, "index").exit_code == 0
        yield folder


def run(workspace: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--workspace", str(workspace)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def evaluate(root: Path, *arguments: str) -> Result:
    return run(root / "workspace", "evaluate", str(root / "questions.yaml"), *arguments)


def test_a_table_shows_each_user_kind_and_split(root: Path) -> None:
    result = evaluate(root)
    assert result.exit_code == 0
    assert [line.split()[:3] for line in result.stdout.splitlines() if "@x.example" in line] == [
        [ANN, "1", "1.00"],
        [BOB, "1", "1.00"],
    ]
    assert "2 questions, asked 3 times; 2 times, the user may read an answer." in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_json_has_every_outcome_and_the_plot_is_a_picture(root: Path) -> None:
    plot = root / "answers.svg"
    result = evaluate(root, "--json", "--plot", str(plot))
    values = json.loads(result.stdout)
    assert values["by_user"][ANN]["hit@1"] == 1.0
    assert values["by_user"][BOB]["unauthorized"] == 0
    assert [outcome["readable_answers"] for outcome in values["outcomes"]] == [1, 0, 1]
    assert b"<svg" in plot.read_bytes()


def test_a_long_name_is_wrapped_and_no_header_cut(root: Path) -> None:
    usual = "elisabeth@harbor.example"
    assert f"{usual} " in evaluate(root, "--as", usual).stdout, "in one line"
    user = "somebody.with.a.rather.long.name.indeed@subsidiary.example"
    lines = evaluate(root, "--as", user, "-k", "3").stdout.splitlines()
    (header,) = [line for line in lines if line.startswith("user")]
    row = next(line for line in lines if line.startswith("someb"))
    assert header.split()[1:] == list(COLUMNS)
    assert row.split()[4] == "-", "hit@6 of three passages"
    assert max(map(len, lines)) <= 80


def test_a_picture_that_cannot_be_drawn_is_refused_before_anything_is_asked(root: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'.txt' is not an image format"):
        run(root / "empty", "evaluate", "--plot", str(root / "x.txt"))
    with pytest.raises(ConfigurationError, match="there is no folder"):
        run(root / "empty", "evaluate", "--plot", str(root / "nowhere" / "x.svg"))


def test_as_replaces_the_users_and_split_chooses_questions(root: Path) -> None:
    values = json.loads(evaluate(root, "--as", ANN, "--split", "tune", "--json").stdout)
    assert [(one["user"], one["rank"]) for one in values["outcomes"]] == [(ANN, 1)]


def test_errors_name_the_remedy(root: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"No question has the split 'test'.*report, tune"):
        evaluate(root, "--split", "test")
    with pytest.raises(ConfigurationError, match=r"not the sample company's.*Name a file"):
        run(root / "workspace", "evaluate")
    with pytest.raises(ConfigurationError, match=r"no company in the workspace \S+empty\. Name"):
        run(root / "empty", "evaluate")
