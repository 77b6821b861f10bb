"""Folders are asked about as folders, and what is public is called so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from managed_sync.cli.app import app
from managed_sync.cli.workspace import PipelineRef, Workspace
from managed_sync.errors import ConfigurationError

ANN, BOB = "ann@x.example", "bob@x.example"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace with a folder for Ann, a public one, and two records of one name."""
    root = tmp_path_factory.mktemp("asking")
    company = root / "company"
    for folder in ("Board", "Public"):
        (company / "files" / folder).mkdir(parents=True)
        (company / "files" / folder / "a.md").write_text("Text.\n")
    for kind in ("deals", "tickets"):
        (company / f"{kind}.jsonl").write_text('{"id": "same", "name": "A name"}\n')
    (company / "permissions.yaml").write_text(
        f"users: [{ANN}, {BOB}]\n"
        "integrations: {files: googleDrive, deals: salesforce, tickets: zendesk}\n"
        f"files:\n  /Board: {{viewer: [{ANN}]}}\n  /Public: {{viewer: [public]}}\n"
    )
    place = Workspace(root / "workspace")
    place.serve_from(company)
    names = [("googleDrive", "files"), ("salesforce", "deals"), ("zendesk", "tickets")]
    with place.server() as server, place.announce(server.base_url):
        with place.connect() as client:
            for name in names:
                place.remember(PipelineRef(*name))
                client.enable_sync(*name)
            for name in names:
                client.wait_until_idle(*name)
        yield place.root


def said(root: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*arguments, "--workspace", str(root)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.mark.parametrize("path", ["/Board", "Board", "/Board/"])
def test_a_folder_is_checked_as_the_folder_that_it_is(root: Path, path: str) -> None:
    assert said(root, "check", path, "--as", ANN) == (0, f"allowed      {path}\n")
    assert said(root, "check", path, "--as", BOB) == (1, f"not allowed  {path}\n")


def test_a_folder_is_explained_as_the_folder_that_it_is(root: Path) -> None:
    _, granted = said(root, "explain", "/Board", "--as", ANN)
    _, denied = said(root, "explain", "/Board", "--as", BOB)

    assert f"- {ANN} is a viewer of folder /Board." in granted
    assert f"- folder /Board: viewers {ANN}" in denied


def test_a_public_folder_is_called_public(root: Path) -> None:
    _, explained = said(root, "explain", "/Public", "--as", "stranger@x.example")

    assert "- folder /Public is public: everybody is a viewer." in explained


def test_a_name_that_two_pipelines_know_is_not_decided_by_their_order(root: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"matches deal:\S+, ticket:\S+; pass one"):
        said(root, "explain", "same", "--as", ANN)


def test_an_unknown_type_of_object_is_named_with_the_types_that_there_are(root: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown type 'doc'.*deal, file, folder"):
        said(root, "check", "doc:x", "--as", ANN)

    assert said(root, "check", "file:x", "--as", ANN) == (1, "not allowed  file:x\n")
