from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from managed_sync.errors import ConfigurationError
from managed_sync.server.storage import migration
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.tables import metadata


def test_the_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_code_knows_the_last_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(migration._SCRIPTS))
    assert ScriptDirectory.from_config(config).get_current_head() == migration.HEAD


def test_opening_again_changes_nothing(place: Path | str) -> None:
    for _ in range(2):
        database = Database(place)
        with database.reading() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version")).all()
        database.close()
        assert found == [(migration.HEAD,)]


@pytest.mark.parametrize(
    ("damage", "remedy"),
    [
        ("UPDATE alembic_version SET version_num = 'from the future'", "newer version"),
        ("DROP TABLE alembic_version", "another version"),
    ],
)
def test_a_database_in_an_unknown_form_is_refused_and_left_alone(
    place: Path | str, damage: str, remedy: str
) -> None:
    database = Database(place)
    with database.writing() as connection:
        connection.execute(text(damage))
        connection.execute(text("INSERT INTO scopes (project_id, user_id) VALUES ('kept', 'kept')"))
    with pytest.raises(ConfigurationError, match=remedy):
        Database(place)
    with database.reading() as connection:
        assert connection.execute(text("SELECT project_id FROM scopes")).all() == [("kept",)]
    database.close()


def test_a_migration_that_fails_leaves_nothing_behind(
    place: Path | str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    versions = tmp_path / "migrations" / "versions"
    versions.mkdir(parents=True)
    environment = migration._SCRIPTS / "env.py"
    (versions.parent / "env.py").write_text(environment.read_text())
    for path in (migration._SCRIPTS / "versions").glob("*.py"):
        (versions / path.name).write_text(path.read_text() + "    raise RuntimeError('broken')\n")
    with monkeypatch.context() as patch:
        patch.setattr(migration, "_SCRIPTS", versions.parent)
        with pytest.raises(RuntimeError, match="broken"):
            Database(place)
    database = Database(place)
    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM records")).scalar_one() == 0
    database.close()


def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:1/name") as raised:
        Database("postgresql://user:secret@127.0.0.1:1/name?connect_timeout=2")
    assert "secret" not in str(raised.value)
