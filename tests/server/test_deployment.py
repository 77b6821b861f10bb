"""The files that containers are made from: well-formed, and true to what lies beside them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dockerfile_parse import DockerfileParser

from managed_sync.cli.app import app
from managed_sync.server import read_config
from managed_sync.server.config import DATABASE_VARIABLE

ROOT = Path(__file__).parents[2]
INSTRUCTIONS = {
    *("FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "VOLUME", "EXPOSE"),
    *("HEALTHCHECK", "STOPSIGNAL", "ENTRYPOINT", "CMD"),
}


@pytest.fixture
def instructions(tmp_path: Path) -> list[dict[str, str]]:
    # The parser wants to write beside what it reads.
    copy = tmp_path / "Dockerfile"
    copy.write_text((ROOT / "Dockerfile").read_text())
    parsed: list[dict[str, str]] = DockerfileParser(str(copy)).structure
    return [one for one in parsed if one["instruction"] != "COMMENT"]


@pytest.fixture
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return content


def test_the_image_is_built_of_instructions_that_there_are(
    instructions: list[dict[str, str]],
) -> None:
    assert {one["instruction"] for one in instructions} == INSTRUCTIONS
    assert instructions[0]["instruction"] == "FROM"
    for one in instructions:
        if one["instruction"] in {"ENTRYPOINT", "CMD"}:
            assert all(isinstance(part, str) for part in json.loads(one["value"]))


def test_the_image_copies_what_is_there_and_not_kept_away(
    instructions: list[dict[str, str]],
) -> None:
    let_through = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for one in instructions:
        if one["instruction"] == "COPY" and "--from" not in one["value"]:
            *sources, _ = shlex.split(one["value"])
            assert set(sources) <= let_through
            assert all((ROOT / source).exists() for source in sources)


def test_the_image_does_not_run_as_root_and_starts_a_command_that_there_is(
    instructions: list[dict[str, str]],
) -> None:
    values = {one["instruction"]: one["value"] for one in instructions}
    assert values["USER"] == "managed-sync"
    command, *options = json.loads(values["CMD"])
    assert command in {one.callback.__name__ for one in app.registered_commands if one.callback}
    assert options == ["--config", "/etc/managed-sync/server.yaml"]
    check = json.loads(values["HEALTHCHECK"].partition("CMD ")[2])
    compile(check[2], "healthcheck", "exec")


def test_the_compose_file_keeps_the_compose_specification() -> None:
    subprocess.run(
        [
            *(Path(sys.executable).parent / "check-jsonschema", "--builtin-schema"),
            *("vendor.compose-spec", ROOT / "compose.yaml"),
        ],
        check=True,
        timeout=60,
    )


def test_the_compose_file_mounts_what_is_there(compose: dict[str, Any]) -> None:
    mounts = [one for service in compose["services"].values() for one in service.get("volumes", ())]
    own = [one.split(":")[0] for one in mounts if one.startswith("./")]
    assert len(own) == 2
    assert all((ROOT / path).is_file() for path in own)
    named = {one.split(":")[0] for one in mounts if one[0].isalpha()}
    assert named == set(compose["volumes"])


def test_its_services_are_the_server_and_its_databases_reached_from_this_machine_only(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert set(services) == {"server", "postgres", "spicedb", "spicedb-migration"}
    ports = [port for service in services.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert DATABASE_VARIABLE in services["server"]["environment"]


def test_the_settings_in_the_container_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://managed_sync:secret@postgres/managed_sync"
    monkeypatch.setenv(DATABASE_VARIABLE, url)
    config = read_config(ROOT / "deploy" / "server.yaml")
    assert config.database_place == url
    assert config.port == 8642
