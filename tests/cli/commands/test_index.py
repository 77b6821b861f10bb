"""The commands that keep the index in step, as a person and as a program use them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from rich.console import Console

from managed_sync.cli.index_progress import index_progress
from managed_sync.cli.signals import stop_on_signal
from managed_sync.cli.vector_index import keyword_index
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.indexing import IndexProgress
from tests.cli.commands.in_process import Said, run
from tests.support.embedding_apis import embedding_apis

PROGRAM = Path(sys.executable).parent / "managed-sync"


def reported(result: Said) -> dict[str, Any]:
    (pipeline,) = json.loads(result.stdout)["pipelines"]
    return dict(pipeline)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that serves a folder of 30 text files."""
    folder = tmp_path_factory.mktemp("work")
    company = folder / "company"
    (company / "files").mkdir(parents=True)
    (company / "permissions.yaml").write_text(
        "users: [ann@example.com]\n"
        "integrations: {files: googleDrive}\n"
        "files: {/: {viewer: [ann@example.com]}}\n",
        encoding="utf-8",
    )
    for number in range(30):
        file = company / "files" / f"note {number:02}.txt"
        file.write_text(f"This is note number {number}.", encoding="utf-8")
    workspace = Workspace(folder / ".managed-sync")
    workspace.serve_from(company)
    workspace.remember(PipelineRef("googleDrive", "files"))
    return folder


def test_an_edit_is_foretold_indexed_and_reported(folder: Path) -> None:
    files = folder / "company" / "files"
    first = run(folder, "index", "--json")
    assert first.returncode == 0, first.stderr
    assert (reported(first)["added"], reported(first)["chunks_embedded"]) == (30, 30)
    (files / "note 01.txt").write_text("This note has changed.", encoding="utf-8")
    (files / "a new one – ü.txt").write_text("This note is new.", encoding="utf-8")
    (files / "note 02.txt").unlink()
    (files / "broken.pdf").write_bytes(b"%PDF-1.7 this is not one")

    foretold = run(folder, "index", "--dry-run")
    indexed = run(folder, "index")
    again = run(folder, "index", "--json")
    status = run(folder, "status")
    (files / "broken.pdf").unlink()

    assert foretold.returncode == 0
    for line in ("~ note 01.txt", "+ a new one – ü.txt", "- note 02.txt", "Nothing was changed."):
        assert line in foretold.stdout
    assert indexed.returncode == 3, "one record cannot be read"
    assert "broken.pdf" in indexed.stdout
    row = next(line for line in indexed.stdout.splitlines() if line.startswith("googleDrive"))
    assert row.split()[2:] == ["1", "1", "28", "1", "1", "2"]
    assert (again.returncode, reported(again)["failed"][0]["attempts"]) == (3, 2)
    assert "Not indexed (2 times): broken.pdf" in " ".join(status.stdout.split())


def test_a_first_index_is_led_from_one_step_to_the_next(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "lunch.md").write_text("For lunch there is soup.", encoding="utf-8")
    (tmp_path / "permissions.yaml").write_text("files: {/: {viewer: [public]}}", encoding="utf-8")
    Workspace(tmp_path / ".managed-sync").serve_from(tmp_path)
    search = ("search", "--as", "ann@example.com", "lunch", "--json")

    fresh = run(tmp_path, *search)
    misspelled = run(tmp_path, "index", "gogleDrive", "files")
    still_empty = run(tmp_path, *search)
    indexed = run(tmp_path, "index", "googleDrive", "files", "--json")
    again = run(tmp_path, "index", "--json")
    found = json.loads(run(tmp_path, *search).stdout)

    for refused in (fresh, still_empty):
        assert "Enable a pipeline first, such as `managed-sync enable" in refused.stderr
    assert misspelled.returncode == 1
    assert misspelled.stderr.startswith("There is no pipeline gogleDrive")
    assert "there are: googleDrive" in misspelled.stderr
    assert (indexed.returncode, reported(indexed)["added"]) == (0, 1), indexed.stderr
    assert reported(again)["unchanged"] == 1, "the pipeline was remembered"
    (passage,) = found["passages"]
    assert (passage["rank"], passage["title"]) == (1, "lunch.md")
    assert passage["text"] == "For lunch there is soup."
    assert (found["report"]["returned"], "scores" in found["report"]) == (1, False)


def test_a_workspace_keeps_the_embedding_model_of_its_first_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "lunch.md").write_text("For lunch there is soup.", encoding="utf-8")
    (tmp_path / "permissions.yaml").write_text("files: {/: {viewer: [public]}}", encoding="utf-8")
    workspace = Workspace(tmp_path / ".managed-sync")
    workspace.serve_from(tmp_path)
    index = ("index", "googleDrive", "files")
    model = "ollama:nomic-embed-text"
    with embedding_apis() as apis:
        for name, value in apis.environment.items():
            monkeypatch.setenv(name, value)

        unknown = run(tmp_path, *index, "--embedding", "olama:nomic-embed-text")
        foretold = run(tmp_path, *index, "--embedding", model, "--dry-run")
        before = workspace.embedding
        indexed = run(tmp_path, *index, "--embedding", model)
        again = run(tmp_path, "index", "--embedding", model)
        other = run(tmp_path, "index", "--embedding", "bundled")
        search = ("search", "--as", "ann@example.com", "What is for lunch?", "--json")
        found = run(tmp_path, *search)
    down = run(tmp_path, *search)

    assert "must be bundled or openai:<model>" in unknown.stderr
    assert "--embedding cannot be combined with --dry-run" in foretold.stderr
    assert before == "bundled"
    assert (indexed.returncode, again.returncode) == (0, 0), indexed.stderr + again.stderr
    assert "has vectors of the embedding ollama:nomic-embed-text" in other.stderr
    assert json.loads(found.stdout)["passages"][0]["text"] == "For lunch there is soup."
    assert "lunch\n\nFor lunch there is soup." in apis.texts
    assert apis.texts[-1] == "What is for lunch?"
    assert "ollama:nomic-embed-text could not embed: ConnectionError: Failed" in down.stderr


def test_an_index_without_vectors_takes_another_embedding_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "permissions.yaml").write_text("files: {/: {viewer: [public]}}", encoding="utf-8")
    workspace = Workspace(tmp_path / ".managed-sync")
    workspace.serve_from(tmp_path)
    with embedding_apis() as apis:
        for name, value in apis.environment.items():
            monkeypatch.setenv(name, value)

        nothing = run(tmp_path, "index", "googleDrive", "files")
        run(tmp_path, "status")
        (tmp_path / "files" / "lunch.md").write_text("For lunch there is soup.", encoding="utf-8")
        misspelled = run(tmp_path, "index", "--embedding", "ollama:nomic-embed")
        kept = workspace.embedding
        indexed = run(tmp_path, "index", "--embedding", "ollama:nomic-embed-text", "--json")
        not_installed = run(tmp_path, "index", "--embedding", "fastembed:some-model")
        workspace.ledger.unlink()
        without_ledger = run(tmp_path, "index", "--embedding", "bundled")

    assert (nothing.returncode, misspelled.returncode, kept) == (0, 1, "bundled")
    assert misspelled.stderr == (
        'ollama:nomic-embed could not embed: ResponseError: model "nomic-embed" not found, try '
        "pulling it first (status code: 404). Correct --embedding, or see that the service runs."
    )
    assert reported(indexed)["added"] == 1, indexed.stderr
    for taken in (not_installed, without_ledger):
        assert "has vectors of the embedding ollama:nomic-embed-text" in taken.stderr


def test_languages_of_scans_are_checked_before_anything_is_read(folder: Path) -> None:
    refused = run(folder, "index", "--ocr", "english please")
    assert refused.returncode == 1
    assert "codes of Tesseract's languages" in refused.stderr


def test_verification_finds_and_repairs_what_is_missing_in_the_index(folder: Path) -> None:
    run(folder, "index")
    index = QdrantClient(path=str(folder / ".managed-sync" / "index"))
    points, _ = index.scroll("chunks", limit=3)
    index.delete("chunks", [point.id for point in points])
    index.close()
    keywords = keyword_index(Workspace(folder / ".managed-sync"))
    assert keywords is not None
    chunk_id = keywords.search("note 17", 1)[0].chunk_id
    keywords.delete([chunk_id])

    found = run(folder, "verify", "--json")
    repaired = run(folder, "verify", "--repair")
    after = run(folder, "verify")

    assert (found.returncode, reported(found)["missing_chunks"]) == (5, 3)
    assert reported(found)["keyword_differences"] == 1
    assert keywords.search("note 17", 1)[0].chunk_id == chunk_id
    assert (repaired.returncode, after.returncode) == (0, 0), repaired.stderr
    assert "Repaired" in repaired.stdout
    assert "agree." in after.stdout


def test_verification_names_the_remedy_that_fits(folder: Path) -> None:
    run(folder, "index")
    files = folder / "company" / "files"
    (files / "broken.pdf").write_bytes(b"%PDF-1.7 broken")
    run(folder, "index")

    unreadable = run(folder, "verify")
    (files / "new.txt").write_text("New.", encoding="utf-8")
    run(folder, "enable", "googleDrive", "files")
    changed = run(folder, "verify")
    for name in ("broken.pdf", "new.txt"):
        (files / name).unlink()
    assert run(folder, "index").returncode == 0

    assert (unreadable.returncode, changed.returncode) == (0, 5)
    assert "agree, except for failed records (1)" in unreadable.stdout
    assert "failed" in changed.stdout
    assert "`managed-sync index` brings the index up to date" in changed.stdout


def test_watching_goes_on_until_it_is_told_to_stop(folder: Path) -> None:
    watching = subprocess.Popen(
        [PROGRAM, "index", "--watch", "1s", "--json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout is not None
    try:
        watching.stdout.readline()
        note = folder / "company" / "files" / "watched.txt"
        note.write_text("This note came while somebody watched.", encoding="utf-8")
        deadline = time.monotonic() + 60
        added = 0
        while not added and time.monotonic() < deadline:
            (pipeline,) = json.loads(watching.stdout.readline())["pipelines"]
            added = pipeline["added"]
    finally:
        watching.send_signal(signal.SIGTERM)
        _, errors = watching.communicate(timeout=60)

    assert added == 1
    assert watching.returncode == 0, errors
    assert "Traceback" not in errors


def test_a_folder_that_lost_most_of_its_files_deletes_nothing_without_the_flag(
    folder: Path,
) -> None:
    run(folder, "index")
    for file in sorted((folder / "company" / "files").glob("note *"))[:22]:
        file.unlink()

    refused = run(folder, "index")
    allowed = run(folder, "index", "--allow-deletions", "--json")

    assert refused.returncode == 4
    assert "--allow-deletions" in refused.stderr
    assert "such as note " in refused.stderr
    assert (allowed.returncode, reported(allowed)["deleted"]) == (0, 22)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "--watch", "soon"], "60s"),
        (["index", "--watch", "0s"], "60s"),
        (["index", "--watch", "1m", "--rebuild"], "single run"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(
    folder: Path, arguments: list[str], said: str
) -> None:
    result = run(folder, *arguments)

    assert result.returncode == 1
    assert said in result.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_asks_and_the_second_does_not_wait(number: int, status: int) -> None:
    kill: Callable[[], None] = lambda: os.kill(os.getpid(), number)  # noqa: E731
    with stop_on_signal() as stop:
        assert not stop.is_set()
        kill()
        assert (stop.is_set(), stop.status) == (True, status)
        with pytest.raises(KeyboardInterrupt):
            kill()


def test_a_run_that_was_stopped_does_not_say_that_there_was_nothing_to_do() -> None:
    shown = StringIO()
    console = Console(file=shown, width=200)
    nothing = {"failed": 0, "deleted": 0, "chunks_embedded": 0, "chunks_reused": 0, "bytes": 0}
    with index_progress(console) as meter_for:
        meter = meter_for("googleDrive files")
        for done, total in ((0, 0), (3, 30)):
            meter(IndexProgress("stopped", listed=34, done=done, total=total, seconds=1, **nothing))
    first, second = shown.getvalue().splitlines()

    assert first == "googleDrive files: stopped after 34 records were compared"
    assert second.startswith("googleDrive files: stopped after 3 of 30 changed records")
