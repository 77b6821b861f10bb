"""Searches for the chunks with the best scores."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Text, bindparam, func, literal_column, select

from managed_sync.keywords.columns import WEIGHTS
from managed_sync.keywords.tables import (
    chunk_table,
    json_argument,
    listed_in,
    passage_table,
    words_of,
)

__all__ = ["best_chunks"]

# Hits with the score of the last one that is wanted; more of them are looked for if all tie.
_TIES = 20


def best_chunks(
    connection: Connection,
    project: int,
    expression: str,
    limit: int,
    objects: Sequence[str] | None,
) -> list[tuple[str, bytes, float]]:
    """Returns the best chunks; those with equal scores are in the order of their ids.

    Args:
        connection: In a transaction.
        project: The key of the project.
        expression: The expression that chunks match.
        limit: The most chunks.
        objects: The objects whose chunks are searched; ``None`` for all.

    Returns:
        The id, the content and the score of each.
    """
    arguments = {"expression": expression, "objects": json_argument(objects or ())}
    query = _query(project, is_confined=objects is not None)
    more = limit + _TIES
    while True:
        rows = connection.execute(query, {**arguments, "more": more}).all()
        if len(rows) < more or rows[-1].score > rows[limit - 1].score:
            break
        # Which of the equal ones were returned is chance.
        more *= 4
    best = sorted(rows, key=lambda row: (row.score, row.chunk_id))[:limit]
    found = connection.execute(_CONTENTS, {"keys": json_argument(row.id for row in best)})
    content_of = {row.id: row.content for row in found}
    return [(row.chunk_id, content_of[row.id], -row.score) for row in best]


@cache
def _query(project: int, *, is_confined: bool) -> Select[Any]:
    """Returns the query of a project, made once, since that takes longer than a short search."""
    words = words_of(project)
    table = literal_column(words.name, Text)
    score = func.bm25(table, *WEIGHTS)
    query = (
        select(chunk_table.c.id, chunk_table.c.chunk_id, score.label("score"))
        .join(words, words.c.rowid == chunk_table.c.id)
        .where(table.op("MATCH")(bindparam("expression")))
        .order_by(score)
        .limit(bindparam("more"))
    )
    if not is_confined:
        return query
    # The sign keeps SQLite from searching once for each chunk of the objects.
    return query.where(literal_column("+chunks.object_id").in_(listed_in("objects")))


_CONTENTS = select(passage_table.c.id, passage_table.c.content).where(
    passage_table.c.id.in_(listed_in("keys"))
)
