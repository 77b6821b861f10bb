"""Searches for the chunks with the best scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, bindparam, func, literal_column, select

from managed_sync.keywords.columns import WEIGHTS
from managed_sync.keywords.tables import (
    DamagedFileError,
    chunk_table,
    json_argument,
    listed_in,
    passage_table,
    words_of,
)

__all__ = ["best_chunks"]

# Hits beyond those that are wanted, to see whether they have the score of the last one.
_TIES = 20


def best_chunks(
    connection: Connection,
    projects: Sequence[int],
    expression: str,
    limit: int,
    objects: Sequence[str] | None,
) -> list[tuple[str, bytes, float]]:
    """Returns the best chunks; those with equal scores are in the order of their ids.

    Each chunk has the score that it has among the chunks of its own project, so that none depends
    on another project's texts.

    Args:
        connection: In a transaction.
        projects: The keys of the projects.
        expression: The expression that chunks match.
        limit: The most chunks.
        objects: The objects whose chunks are searched; ``None`` for all.

    Returns:
        The id, the content and the score of each.
    """
    arguments = {
        "expression": expression,
        "objects": json_argument(objects or ()),
        "more": limit + _TIES,
    }
    rows: list[Row[Any]] = []
    for project in projects:
        rows += _candidates(connection, project, arguments, is_confined=objects is not None)
    found = connection.execute(_CHUNK_IDS, {"keys": json_argument(row.key for row in rows)})
    id_of = {row.id: row.chunk_id for row in found}
    if any(row.score is None or row.key not in id_of for row in rows):
        raise DamagedFileError("its words are not those of its chunks")
    best = sorted(rows, key=lambda row: (row.score, id_of[row.key]))[:limit]
    found = connection.execute(_CONTENTS, {"keys": json_argument(row.key for row in best)})
    content_of = {row.id: row.content for row in found}
    return [(id_of[row.key], content_of[row.key], -row.score) for row in best]


def _candidates(
    connection: Connection, project: int, arguments: Mapping[str, Any], *, is_confined: bool
) -> Sequence[Row[Any]]:
    """Returns the best rows of one project, and perhaps some more."""
    more = arguments["more"]
    rows = connection.execute(_query(project, is_confined=is_confined), arguments).all()
    if len(rows) == more and rows[-1].score == rows[more - _TIES - 1].score:
        # Which of the equal ones were returned is chance. To order all of them takes longer.
        query = _query(project, is_confined=is_confined, by_id=True)
        rows = connection.execute(query, arguments).all()
    return rows


@cache
def _query(project: int, *, is_confined: bool, by_id: bool = False) -> Select[Any]:
    """Returns the query of a project, made once, since that takes longer than a short search."""
    words = words_of(project)
    table = literal_column(words.name, Text)
    score = func.bm25(table, *WEIGHTS)
    query = (
        select(words.c.rowid.label("key"), score.label("score"))
        .where(table.op("MATCH")(bindparam("expression")))
        .order_by(score)
        .limit(bindparam("more"))
    )
    if is_confined or by_id:
        query = query.join(chunk_table, chunk_table.c.id == words.c.rowid)
    if is_confined:
        # The sign keeps SQLite from searching once for each chunk of the objects.
        query = query.where(literal_column("+chunks.object_id").in_(listed_in("objects")))
    return query.order_by(chunk_table.c.chunk_id) if by_id else query


_CHUNK_IDS = select(chunk_table.c.id, chunk_table.c.chunk_id).where(
    chunk_table.c.id.in_(listed_in("keys"))
)
_CONTENTS = select(passage_table.c.id, passage_table.c.content).where(
    passage_table.c.id.in_(listed_in("keys"))
)
