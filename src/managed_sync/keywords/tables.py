"""The tables of the keyword index.

Those that are compared with questions have short rows, so that many fit into memory. Each project
has its own table of words, so that no project's scores depend on another one's texts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    Table,
    Text,
    bindparam,
    column,
    func,
    select,
    table,
)

from managed_sync.errors import ConfigurationError
from managed_sync.keywords.columns import COLUMNS

__all__ = [
    "TOKENIZER",
    "DamagedFileError",
    "added_project",
    "chunk_table",
    "json_argument",
    "listed",
    "listed_in",
    "metadata",
    "passage_table",
    "project_keys",
    "project_table",
    "with_words",
    "words_of",
]

TOKENIZER = "porter ascii"


class DamagedFileError(Exception):
    """The file holds something else than was written."""


metadata = MetaData()

project_table = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Text, nullable=False, unique=True),
)

chunk_table = Table(
    "chunks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", Integer, nullable=False),
    Column("chunk_id", Text, nullable=False, unique=True),
    Column("object_id", Text, nullable=False),
    Column("chunk_index", Integer),
    Column("integration", Text),
    Column("sync_type", Text),
    Index("chunks_of_objects", "object_id", "project", "chunk_index"),
    Index("chunks_of_pipelines", "project", "integration", "sync_type"),
)

passage_table = Table(
    "passages",
    metadata,
    Column("id", Integer, primary_key=True),
    # Text, metadata and words.
    Column("content", LargeBinary, nullable=False),
)


@cache
def words_of(project: int) -> Table:
    """Returns the table of a project's words, which SQLite's full-text search keeps.

    It is the same object each time, so that SQLAlchemy compiles its statements once.

    Args:
        project: The key of the project.
    """
    name = f"words_{project}"
    # The column with the table's name takes questions and orders.
    columns = (Column(each, Text) for each in (name, *COLUMNS))
    return Table(name, MetaData(), Column("rowid", Integer, primary_key=True), *columns)


def with_words(connection: Connection, keys: Mapping[int, int]) -> set[int]:
    """Returns those rows of chunks whose words the table of their project holds.

    Args:
        connection: In a transaction.
        keys: The row of each chunk, with the key of its project.
    """
    rows_of = defaultdict[int, list[int]](list)
    for key, project in keys.items():
        rows_of[project].append(key)
    found = set[int]()
    for project, rows in rows_of.items():
        # SQLite keeps one row for each row of words here, also in a table without content.
        sizes = table(f"{words_of(project).name}_docsize", column("id", Integer))
        found.update(
            connection.execute(select(sizes.c.id).where(sizes.c.id.in_(listed(rows)))).scalars()
        )
    return found


def listed(values: Iterable[object]) -> Select[Any]:
    """Returns values as a query, which takes any number of them in one argument."""
    return select(func.json_each(json_argument(values)).table_valued("value").c.value)


def listed_in(argument: str) -> Select[Any]:
    """Returns the values of an argument as a query; ``json_argument`` makes the argument.

    Args:
        argument: The name of the argument.
    """
    return select(func.json_each(bindparam(argument)).table_valued("value").c.value)


def json_argument(values: Iterable[object]) -> str:
    """Returns an argument for ``listed_in``."""
    return json.dumps(list(values))


def project_keys(connection: Connection, project_id: str | None) -> list[int]:
    """Returns the keys of a project and of the chunks that name none, as far as there are any.

    Chunks that name no project belong to whichever is searched.

    Args:
        connection: In a transaction.
        project_id: The project; ``None`` for the only one.

    Raises:
        ConfigurationError: There are several, and none is named.
    """
    rows = connection.execute(select(project_table).order_by(project_table.c.id)).all()
    if project_id is None and sum(row.project_id != "" for row in rows) > 1:
        raise ConfigurationError(
            "The keyword index holds chunks of several projects, whose object ids could be equal. "
            "Pass project_id=, or AccessChecker(..., project_id=...)."
        )
    own = ("", project_id)
    # Not a set: a project of another type, such as a list, is none of these.
    return [row.id for row in rows if project_id is None or row.project_id in own]


def added_project(connection: Connection, project_id: str) -> int:
    """Returns the key of a project, whose table of words is made if it is new.

    Args:
        connection: In a transaction that writes.
        project_id: The project.
    """
    known = select(project_table.c.id).filter_by(project_id=project_id)
    if (key := connection.execute(known).scalar()) is not None:
        return int(key)
    connection.execute(project_table.insert().values(project_id=project_id))
    key = connection.execute(known).scalar_one()
    connection.exec_driver_sql(
        f"CREATE VIRTUAL TABLE {words_of(key).name} "
        f"USING fts5({', '.join(COLUMNS)}, content = '', tokenize = '{TOKENIZER}')"
    )
    return int(key)
