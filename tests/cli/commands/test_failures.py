"""One that fails stops nothing on the command line either, and can be seen to there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from managed_sync import __version__
from managed_sync.cli.signals import StopRequest
from managed_sync.cli.vector_index import open_index
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.errors import ConfigurationError
from managed_sync.indexing import Ledger
from tests.cli.commands.in_process import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with two pipelines, of files and of tickets."""
    company = tmp_path / "company"
    (company / "files").mkdir(parents=True)
    (company / "permissions.yaml").write_text(
        "users: [ann@example.com]\n"
        "integrations: {files: drive, tickets: desk}\n"
        "files: {/: {viewer: [ann@example.com]}}\n"
        "tickets: {/: {viewer: [ann@example.com]}}\n",
        encoding="utf-8",
    )
    (company / "files" / "good.txt").write_text("A good file.", encoding="utf-8")
    (company / "files" / "broken.pdf").write_bytes(b"%PDF-1.7 this is not one")
    (company / "files" / "empty.txt").write_bytes(b"")
    (company / "tickets.jsonl").write_text('{"id": "t1", "subject": "One"}\n', encoding="utf-8")
    workspace = Workspace(tmp_path / ".managed-sync")
    workspace.serve_from(company)
    for names in (("desk", "tickets"), ("drive", "files")):
        workspace.remember(PipelineRef(*names))
    return tmp_path


def test_failures_are_listed_tried_again_and_dismissed(folder: Path) -> None:
    indexed = run(folder, "index")
    listed = run(folder, "failures", "list", "--json")
    (failure,) = json.loads(listed.stdout)["records"]
    tried = run(folder, "failures", "retry", "drive", "files", "--json")
    refused = run(folder, "failures", "dismiss")
    dismissed = run(
        folder, "failures", "dismiss", "drive", "files", "--record", failure["record_id"]
    )
    skipped = run(folder, "failures", "list", "--skipped")
    for command in ("dismiss", "retry"):
        unknown = run(folder, "failures", command, "drive", "files", "--record", "nonsense")
        assert unknown.returncode == 2
        assert "no failed record with the id 'nonsense'" in " ".join(unknown.stderr.split())

    assert (indexed.returncode, tried.returncode) == (3, 3)
    assert "1 skipped" in indexed.stdout
    assert (failure["integration"], failure["title"]) == ("drive", "broken.pdf")
    assert refused.returncode == 1
    assert "with --record ID, or pass --all" in refused.stderr
    assert "1 dismissed" in dismissed.stdout
    assert "empty.txt" in skipped.stdout
    assert run(folder, "failures", "list").stdout == "There are none.\n"


def test_an_unknown_pipeline_is_named_with_those_that_there_are(folder: Path) -> None:
    never_indexed = run(folder, "failures", "list", "drive", "files")
    for command in (["list"], ["retry"], ["dismiss", "--all"]):
        unknown = run(folder, "failures", *command, "drive", "pictures")
        assert unknown.returncode == 1
        assert "no pipeline drive pictures" in unknown.stderr
        assert "desk tickets, drive files" in unknown.stderr

    assert never_indexed.stdout == "There are none.\n"
    with Ledger(folder / ".managed-sync" / "ledger.db") as ledger:
        assert ledger.pipelines("local") == []


def test_a_reason_is_wrapped_between_words_and_an_id_is_not_wrapped(folder: Path) -> None:
    run(folder, "index")
    (failure,) = json.loads(run(folder, "failures", "list", "--json").stdout)["records"]

    lines = run(folder, "failures", "list", columns=40).stdout.splitlines()

    assert lines[0].startswith(failure["record_id"])
    assert " ".join(line.strip() for line in lines[1:]) == failure["reason"]
    assert all(len(line) <= 40 for line in lines[1:])


def test_a_pipeline_that_fails_holds_up_no_other_and_keeps_its_index(folder: Path) -> None:
    (folder / "company" / "files" / "broken.pdf").unlink()
    assert run(folder, "index").returncode == 0
    (folder / "company" / "tickets.jsonl").unlink()
    (folder / "company" / "files" / "new.txt").write_text("A new file.", encoding="utf-8")

    indexed = run(folder, "index", "--json")

    assert indexed.returncode == 1
    files, tickets = json.loads(indexed.stdout)["pipelines"]
    assert (files["sync_type"], files["added"]) == ("files", 1)
    assert "error" in tickets
    assert "desk tickets was left as it is" in " ".join(indexed.stderr.split())


@pytest.mark.slow
def test_commands_at_the_same_time_share_a_workspace(folder: Path) -> None:
    assert run(folder, "index").returncode == 3
    search = [sys.executable, "-m", "managed_sync", "search", "a good file", "--as"]
    searches = [
        subprocess.Popen(
            [*search, "ann@example.com"], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    found = [each.communicate(timeout=240)[0] for each in searches]

    assert [each.returncode for each in searches] == [0, 0]
    assert all("good.txt" in text for text in found)


class TestTheIndexOfOneProcessAtATime:
    def test_another_one_waits_for_its_turn(self, tmp_path: Path) -> None:
        workspace = Workspace(tmp_path)
        first = open_index(workspace)
        first.__enter__()

        class ClosingTheFirst(StopRequest):
            def wait(self, timeout: float | None = None) -> bool:
                first.__exit__(None, None, None)
                return False

        with open_index(workspace, stop=ClosingTheFirst()) as store:
            assert store.client.collection_exists("chunks")

    def test_the_wait_has_an_end(self, tmp_path: Path) -> None:
        workspace = Workspace(tmp_path)

        with (
            open_index(workspace),
            pytest.raises(ConfigurationError, match="in use by another"),
            open_index(workspace, wait=0),
        ):
            pass

    def test_the_wait_ends_when_told_to_stop(self, tmp_path: Path) -> None:
        workspace, stop = Workspace(tmp_path), StopRequest()
        stop.status = 130
        stop.set()

        with open_index(workspace), pytest.raises(typer.Exit), open_index(workspace, stop=stop):
            pass

    def test_a_folder_that_is_none_is_named(self, tmp_path: Path) -> None:
        workspace = Workspace(tmp_path)
        workspace.index_folder.write_text("not a folder", encoding="utf-8")

        with pytest.raises(ConfigurationError, match="cannot be opened"), open_index(workspace):
            pass


def test_the_package_can_be_run_as_a_module() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "managed_sync", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout == f"managed-sync {__version__}\n"
