from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from managed_sync.errors import ConfigurationError
from managed_sync.server import SpiceDBAddress, read_config
from managed_sync.server.config import DATABASE_VARIABLE, SPICEDB_VARIABLE

SHORTEST = "state: state\nprojects: {demo: {folder: company}}\n"


@pytest.fixture(autouse=True)
def no_secrets_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    monkeypatch.delenv(SPICEDB_VARIABLE, raising=False)


def written(folder: Path, text: str) -> Path:
    path = folder / "server.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, SHORTEST))
    assert config.projects["demo"].folder == tmp_path / "company"
    assert config.state == tmp_path / "state"
    assert config.database_place == tmp_path / "state" / "server.db"
    assert config.keys_of("demo") == tmp_path / "state" / "keys" / "demo"


def test_every_setting_can_be_written(tmp_path: Path) -> None:
    config = read_config(
        written(
            tmp_path,
            """\
state: /var/lib/managed-sync
database: postgresql://user@db.example/managed_sync
spicedb: {target: 'spicedb:50051', token: key, tls: false}
content: blobs
host: 0.0.0.0
port: 80
log: text
projects:
  strange id: {folder: one, keys: keys/one}
  two: {folder: /srv/two}
limits:
  body_bytes: 1000
  body_seconds: 1.5
  head_seconds: 2
  checks: 10
  requests_per_second: 5
  burst: 7
""",
        )
    )
    assert config.keys_of("strange id") == tmp_path / "keys" / "one"
    assert config.database_place == "postgresql://user@db.example/managed_sync"
    assert config.spicedb == SpiceDBAddress(
        target="spicedb:50051", token=SecretStr("key"), tls=False
    )
    assert (config.host, config.port, config.limits.burst) == ("0.0.0.0", 80, 7)  # noqa: S104


def test_a_project_id_is_no_path_to_its_keys(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, "state: s\nprojects: {'..%2F\\x': {folder: c}}\n"))
    (project_id,) = config.projects
    assert config.keys_of(project_id).parent == tmp_path / "s" / "keys"


def test_the_environment_brings_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, "postgresql://user:secret@db.example/name")
    config = read_config(written(tmp_path, SHORTEST))
    assert config.database_place == "postgresql://user:secret@db.example/name"
    assert "secret" not in repr(config)


def test_the_environment_brings_the_token_of_a_spicedb_that_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SPICEDB_VARIABLE, "from outside")
    assert read_config(written(tmp_path, SHORTEST)).spicedb is None
    config = read_config(written(tmp_path, SHORTEST + "spicedb: {target: 'spicedb:50051'}\n"))
    assert config.spicedb is not None
    assert config.spicedb.token.get_secret_value() == "from outside"
    assert config.spicedb.tls
    assert "from outside" not in repr(config)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "must contain settings"),
        ("- 1\n", "must contain settings"),
        ("state: s\n", "projects"),
        ("projects: {}\nstate: s\n", "projects"),
        ("projects: {demo: {folder: c}}\n", "state"),
        (SHORTEST + "color: red\n", "color: there is no such setting"),
        (SHORTEST + "limits: {checks: 0}\n", "limits.checks"),
        (SHORTEST + "limits: {burst: many}\n", "limits.burst"),
        (SHORTEST + "content: elsewhere\n", "content"),
        (SHORTEST + "spicedb: {target: 'spicedb:50051'}\n", "spicedb.token"),
        (SHORTEST + "spicedb: {target: '', token: key}\n", "spicedb.target"),
        ('state: s\nprojects: {"a/b": {folder: c}}\n', "a/b"),
        ("state: s\nprojects: {demo: {}}\n", "projects.demo.folder"),
        ("state: [\n", "line 2"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        read_config(written(tmp_path, text))
    assert named in str(raised.value)
    assert "server.yaml" in str(raised.value)


def test_a_missing_file_is_named_with_an_example(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.yaml(?s:.*)folder: "):
        read_config(tmp_path / "none.yaml")


def test_a_database_of_another_kind_is_refused_without_repeating_its_password(
    tmp_path: Path,
) -> None:
    from managed_sync.server.storage.database import Database

    config = read_config(written(tmp_path, SHORTEST + "database: mysql://u:secret@h/d\n"))
    with pytest.raises(ConfigurationError, match="postgresql://") as raised:
        Database(config.database_place)
    assert "secret" not in str(raised.value)
