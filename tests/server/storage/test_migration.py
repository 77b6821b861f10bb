from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, inspect, text

from managed_sync.errors import ConfigurationError
from managed_sync.server.storage import migration
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.tables import metadata
from managed_sync.sql import sqlite_engine, sqlite_url


@pytest.fixture
def engine(place: Path | str) -> Iterator[Engine]:
    """Connections to the place, without any tables."""
    if isinstance(place, Path):
        engine = sqlite_engine(sqlite_url(place), patience=5, pragmas={})
    else:
        engine = create_engine(place.replace("postgresql:", "postgresql+psycopg:"))
    yield engine
    engine.dispose()


def test_a_new_database_has_the_tables_that_the_migrations_make(
    place: Path | str, engine: Engine
) -> None:
    forms = []
    with engine.connect() as connection:
        migrated: Callable[[], None] = partial(migration.run_migrations, connection, place, None)
        made: Callable[[], None] = partial(migration.migrate, connection, place)
        for make in (migrated, made):
            with connection.begin() as transaction:
                make()
                context = MigrationContext.configure(connection)
                assert compare_metadata(context, metadata) == []
                forms.append(_form(connection))
                transaction.rollback()
    assert forms[0] == forms[1]
    assert set(forms[0]["tables"]) == {*metadata.tables, "alembic_version"}


def _form(connection: Connection) -> dict[str, Any]:
    """Returns everything that a database knows about its tables."""
    inspector = inspect(connection)
    tables = {
        name: {
            "columns": [
                {**column, "type": str(column["type"])} for column in inspector.get_columns(name)
            ],
            "primary key": inspector.get_pk_constraint(name),
            "foreign keys": inspector.get_foreign_keys(name),
            "unique": sorted(map(str, inspector.get_unique_constraints(name))),
            "checks": inspector.get_check_constraints(name),
            "indexes": sorted(map(str, inspector.get_indexes(name))),
        }
        for name in inspector.get_table_names()
    }
    form: dict[str, Any] = {
        "tables": tables,
        "revision": connection.execute(text("SELECT version_num FROM alembic_version")).all(),
    }
    if connection.dialect.name == "sqlite":
        # SQLAlchemy does not say which tables are without row ids, and which never reuse one.
        form["kinds"] = sorted(connection.exec_driver_sql("PRAGMA table_list").all())
        form["never reused"] = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"
        ).all()
    return form


def test_a_new_database_is_opened_without_loading_alembic(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from managed_sync.server.storage.database import Database\n"
        "Database(Path(sys.argv[1])).close()\n"
        "assert 'alembic' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "server.db"], check=True)


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
    place: Path | str, engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with engine.begin() as connection:
        migration.run_migrations(connection, place, None, "0001")
        connection.execute(text("INSERT INTO scopes (project_id, user_id) VALUES ('kept', 'kept')"))
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
        assert connection.execute(text("SELECT project_id FROM scopes")).all() == [("kept",)]
        assert connection.execute(text("SELECT permissions FROM pipelines")).all() == []
    database.close()


def test_an_unreachable_database_is_named_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:1/name") as raised:
        Database("postgresql://user:secret@127.0.0.1:1/name?connect_timeout=2")
    assert "secret" not in str(raised.value)
