"""The tables of the keyword index.

Those that are compared with questions have short rows, so that many fit into memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    func,
    select,
)

from managed_sync.errors import ConfigurationError

__all__ = [
    "DamagedFileError",
    "added_project",
    "chunk_table",
    "json_argument",
    "listed",
    "metadata",
    "passage_table",
    "posting_table",
    "project_table",
    "searched_projects",
    "segment_table",
]


class DamagedFileError(Exception):
    """The file holds something else than was written."""


metadata = MetaData()

project_table = Table(
    "projects",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", Text, nullable=False, unique=True),
    # Of its chunks: their number, and that of the words in all of them.
    Column("chunks", Integer, nullable=False),
    Column("words", Integer, nullable=False),
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
    Column("words", Integer, nullable=False),
    Index("chunks_of_objects", "object_id", "project", "chunk_index"),
    Index("chunks_of_pipelines", "project", "integration", "sync_type"),
)

passage_table = Table(
    "passages",
    metadata,
    Column("id", Integer, primary_key=True),
    # Text and metadata.
    Column("content", LargeBinary, nullable=False),
)

# See ``postings``.
segment_table = Table(
    "segments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("project", Integer, nullable=False),
    Column("first", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("removed", LargeBinary, nullable=False),
)

posting_table = Table(
    "postings",
    metadata,
    Column("segment", Integer, primary_key=True),
    Column("term", Text, primary_key=True),
    Column("postings", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)


def listed(values: Iterable[object]) -> Select[Any]:
    """Returns values as a query, which takes any number of them in one argument."""
    return select(func.json_each(json_argument(values)).table_valued("value").c.value)


def json_argument(values: Iterable[object]) -> str:
    """Returns an argument for ``json_each``."""
    return json.dumps(list(values))


def searched_projects(connection: Connection, project_id: str | None) -> list[Row[Any]]:
    """Returns the rows of a project and of the chunks that name none, as far as there are any.

    Chunks that name no project belong to whichever is searched.

    Args:
        connection: In a transaction.
        project_id: The project; ``None`` for the only one.

    Raises:
        ConfigurationError: There are several, and none is named.
    """
    rows = connection.exec_driver_sql("SELECT * FROM projects ORDER BY id").all()
    if project_id is None and sum(row.project_id != "" for row in rows) > 1:
        raise ConfigurationError(
            "The keyword index holds chunks of several projects, whose object ids could be equal. "
            "Pass project_id=, or AccessChecker(..., project_id=...)."
        )
    for row in rows:
        counts = (row.chunks, row.words)
        if not all(type(count) is int and count >= 0 for count in counts):
            raise DamagedFileError("the counts of a project are damaged")
    own = ("", project_id)
    # Not a set: a project of another type, such as a list, is not among them.
    return [row for row in rows if project_id is None or row.project_id in own]


def added_project(connection: Connection, project_id: str) -> int:
    """Returns the key of a project, which is noted if it is new.

    Args:
        connection: In a transaction that writes.
        project_id: The project.
    """
    known = select(project_table.c.id).filter_by(project_id=project_id)
    if (key := connection.execute(known).scalar()) is not None:
        return int(key)
    new = project_table.insert().values(project_id=project_id, chunks=0, words=0)
    connection.execute(new)
    return int(connection.execute(known).scalar_one())
