"""The result of a perfect retriever, and the least that it must cost.

Computed from the vectors alone, in double precision, without any code that takes part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from benchmarks.retrieval.corpus import Case, Corpus

__all__ = ["Answer", "Oracle"]

Scores: TypeAlias = NDArray[np.float64]
# Two chunks whose scores differ by less are equally good: single precision cannot tell them apart.
_TIE = 1e-6


@dataclass(frozen=True)
class Answer:
    """The truth about one case.

    Attributes:
        allowed: For each object, whether the subject may read it.
        scores: For each chunk, how close it is to the question.
        expected: How many passages there are to return: ``k``, or all that are allowed.
        threshold: The score of the last of them.
        post_filter_ids: Objects to check, in the order of the ranking, to get these passages.
        pre_filter_ids: Objects to list and then, in the result, to check.
    """

    allowed: NDArray[np.bool_]
    scores: Scores
    expected: int
    threshold: float
    post_filter_ids: int
    pre_filter_ids: int
    chunks_per_object: int
    k: int

    @property
    def cheapest_ids(self) -> int:
        """The number of ids that the cheaper of the two pure strategies transfers."""
        return min(self.post_filter_ids, self.pre_filter_ids)

    def bound_on_ids(self, first_look: int) -> float:
        """The number of ids that a retrieval should transfer at most.

        One and a half times the cheaper pure strategy and, since a cold retrieval has to look
        before it can decide, the objects that it checks first, of which at most 5 x k count.
        """
        return 1.5 * self.cheapest_ids + min(first_look, 5 * self.k)

    def recall(self, rows: Sequence[int]) -> float:
        """The share of the expected passages among the first ``k`` that were returned."""
        best = dict.fromkeys(rows[: self.k])
        good = [row for row in best if self._may_read(row) and self._is_among_the_best(row)]
        return len(good) / self.expected

    def leaks(self, rows: Sequence[int]) -> int:
        """Returns the number of returned passages that the subject may not read."""
        return sum(not self._may_read(row) for row in rows)

    def _may_read(self, row: int) -> bool:
        return bool(self.allowed[row // self.chunks_per_object])

    def _is_among_the_best(self, row: int) -> bool:
        return bool(self.scores[row] >= self.threshold - _TIE)


class Oracle:
    """Knows the exact answer to every case."""

    def __init__(self, corpus: Corpus, k: int) -> None:
        self._corpus = corpus
        self._vectors = corpus.vectors.astype(np.float64)
        self._k = k
        self._rankings: dict[int, tuple[Scores, NDArray[np.int64], NDArray[np.int64]]] = {}

    def answer(self, case: Case) -> Answer:
        """The truth about a case."""
        scores, ranking, objects_by_rank = self._ranking(case.question)
        per_object = self._corpus.chunks_per_object
        allowed = np.zeros(self._corpus.object_count, dtype=bool)
        allowed[case.allowed] = True
        positions = np.flatnonzero(allowed[ranking // per_object])
        best = positions[: self._k]
        enough = len(best) == self._k
        return Answer(
            allowed=allowed,
            scores=scores,
            expected=len(best),
            threshold=float(scores[ranking[best[-1]]]),
            # Who finds fewer than k must have looked at everything to know it.
            post_filter_ids=int(objects_by_rank[best[-1]]) if enough else len(allowed),
            pre_filter_ids=len(case.allowed) + len(set((ranking[best] // per_object).tolist())),
            chunks_per_object=per_object,
            k=self._k,
        )

    def _ranking(self, question: int) -> tuple[Scores, NDArray[np.int64], NDArray[np.int64]]:
        if question not in self._rankings:
            scores = self._vectors @ self._corpus.questions[question].astype(np.float64)
            ranking = np.argsort(-scores, kind="stable")
            objects = ranking // self._corpus.chunks_per_object
            first_seen = np.zeros(len(ranking), dtype=np.int64)
            first_seen[np.unique(objects, return_index=True)[1]] = 1
            self._rankings[question] = scores, ranking, np.cumsum(first_seen)
        return self._rankings[question]
