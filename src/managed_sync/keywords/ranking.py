"""Ranks the chunks that have terms of a question, by BM25.

The score of a chunk is the sum, over the terms that it has, of ``weight * count * (K1 + 1) /
(count + K1 * (1 - B + B * words / mean))``. ``count`` is how often it has the term, ``words`` its
number of words, and ``mean`` their mean in the project. ``weight`` is ``log((N - n + 0.5) /
(n + 0.5))`` for a term that ``n`` of the project's ``N`` chunks have, and almost nothing for a term
that most of them have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row

from managed_sync.keywords.postings import Postings, in_objects, postings_of, segments_of
from managed_sync.keywords.tables import DamagedFileError, json_argument

__all__ = ["Ranking", "ranking"]

_K1, _B = 1.2, 0.75
_LEAST_WEIGHT = 1e-6
# Chunks of other objects are rarely among the best ones; then so many times as many are looked at.
_WIDENING = 4
# In SQL, since SQLAlchemy takes longer to make a statement than SQLite to run it.
_CHUNKS = "SELECT id, chunk_id, object_id FROM chunks WHERE id IN (SELECT value FROM json_each(?))"
_CONTENTS = "SELECT id, content FROM passages WHERE id IN (SELECT value FROM json_each(?))"


class Ranking:
    """Chunks that have a term of a question, with their scores.

    Args:
        connection: In a transaction.
        objects: The objects whose chunks are wanted; ``None`` for all.
        keys: The key of each chunk; a few may be of other objects.
        scores: The score of each.
    """

    def __init__(
        self,
        connection: Connection,
        objects: Set[str] | None,
        keys: NDArray[np.int64],
        scores: NDArray[np.float64],
    ) -> None:
        self._connection = connection
        self._objects = objects
        self._keys = keys
        self._scores = scores

    def __len__(self) -> int:
        return len(self._keys)

    def best(self, limit: int) -> list[tuple[str, bytes, float]]:
        """Returns the best chunks; those with equal scores are in the order of their ids.

        Args:
            limit: The most chunks.

        Returns:
            The id, the content and the score of each.
        """
        best, width = self._best_of(limit), limit
        while len(best) < limit and width < len(self):
            width *= _WIDENING
            best = self._best_of(width)
        best = best[:limit]
        keys = json_argument(row.id for row, _ in best)
        found = self._connection.exec_driver_sql(_CONTENTS, (keys,))
        content_of = {row.id: row.content for row in found}
        if len(content_of) < len(best):
            raise DamagedFileError("the content of a chunk is lost")
        return [(row.chunk_id, content_of[row.id], score) for row, score in best]

    def _best_of(self, width: int) -> list[tuple[Row[Any], float]]:
        """Returns the rows and the scores of the wanted ones among the best chunks."""
        keys, scores = self._keys, self._scores
        if width < len(scores):
            # With all that have the score of the last one.
            last = len(scores) - width
            is_best = scores >= np.partition(scores, last)[last]
            keys, scores = keys[is_best], scores[is_best]
        score_of = dict(zip(keys.tolist(), scores.tolist(), strict=True))
        rows = self._connection.exec_driver_sql(_CHUNKS, (json_argument(score_of),)).all()
        if len(rows) < len(score_of):
            raise DamagedFileError("its words are not those of its chunks")
        if not all(isinstance(row.chunk_id, str) for row in rows):
            raise DamagedFileError("the id of a chunk is damaged")
        best = sorted(rows, key=lambda row: (-score_of[row.id], row.chunk_id))[:width]
        wanted = self._objects
        return [
            (row, score_of[row.id]) for row in best if wanted is None or row.object_id in wanted
        ]


def ranking(
    connection: Connection,
    projects: Sequence[Row[Any]],
    terms: Sequence[str],
    objects: Set[str] | None,
) -> Ranking:
    """Returns the chunks that have one of the terms.

    Each chunk has the score that it has among the chunks of its own project, so that none depends
    on another project's texts.

    Args:
        connection: In a transaction.
        projects: The rows of the projects.
        terms: The terms.
        objects: The objects whose chunks are wanted; ``None`` for all.
    """
    found = [_scored(connection, project, terms, objects) for project in projects]
    keys = np.concatenate([np.empty(0, np.int64), *(keys for keys, _ in found)])
    scores = np.concatenate([np.empty(0), *(scores for _, scores in found)])
    return Ranking(connection, objects, keys, scores)


def _scored(
    connection: Connection, project: Row[Any], terms: Sequence[str], objects: Set[str] | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the keys and the scores of a project's chunks that have one of the terms."""
    segments = segments_of(connection, project.id)
    postings = postings_of(connection, segments, terms)
    if not postings:
        return np.empty(0, np.int64), np.empty(0)
    first, last = segments[0].first, segments[-1].last
    try:
        scores = np.zeros(last - first + 1)
        # In the order of the question, so that sums of the same numbers are equal.
        for term in terms:
            if term in postings:
                scores[postings[term]["key"] - np.uint32(first)] += _impacts(
                    postings[term], project
                )
        has_term = scores > 0
        if objects is not None:
            has_term &= in_objects(connection, segments, objects, project.chunks)
    except (IndexError, ZeroDivisionError, MemoryError):
        raise DamagedFileError("its postings are not those of its chunks") from None
    found = np.flatnonzero(has_term)
    return found + first, scores[found]


def _impacts(postings: Postings, project: Row[Any]) -> NDArray[np.float64]:
    having, mean = len(postings), project.words / project.chunks
    rest = max(project.chunks - having, 0) + 0.5
    weight = max(math.log(rest / (having + 0.5)), _LEAST_WEIGHT)
    count = postings["count"].astype(np.float64)
    length = postings["words"] * (_K1 * _B / mean) + _K1 * (1 - _B)
    impacts: NDArray[np.float64] = count * (weight * (_K1 + 1)) / (count + length)
    return impacts
