"""A vector store that is exact, quick, and filters before it searches.

It keeps the store out of the comparison: every contender searches this one, and none loses a
passage to an approximate index or waits for a filter that is evaluated row by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from numpy.typing import NDArray

from benchmarks.retrieval.corpus import Corpus

__all__ = ["ExactVectorStore", "object_id", "question_text", "row_of"]

# From this share of the rows on, scoring all of them beats gathering those that are wanted.
_GATHERING_PAYS_BELOW = 0.25


def object_id(number: int) -> str:
    """An object's id."""
    return f"file:{number}"


def question_text(number: int) -> str:
    """A question, as its contenders are asked it."""
    return f"question {number}"


def row_of(document: Document) -> int:
    """Returns the number of a document's chunk in the corpus."""
    return int(str(document.id).removeprefix("chunk-"))


class ExactVectorStore(VectorStore):
    """The corpus, searched by exact cosine; equal scores keep the order of the chunks.

    ``similarity_search`` and ``similarity_search_with_score`` take ``object_ids``, to search among
    the chunks of these objects only.
    """

    def __init__(self, corpus: Corpus) -> None:
        self._vectors = corpus.vectors
        self._embeddings = _KnownQuestions(corpus)
        self._chunks_per_object = corpus.chunks_per_object
        self._documents = [
            Document(
                id=f"chunk-{row}",
                page_content=f"Chunk {row}",
                metadata={
                    "object_id": object_id(row // corpus.chunks_per_object),
                    "record_id": str(row // corpus.chunks_per_object),
                    "chunk_id": f"chunk-{row}",
                },
            )
            for row in range(len(corpus.vectors))
        ]
        self._number_of = {object_id(number): number for number in range(corpus.object_count)}

    @property
    def documents(self) -> list[Document]:
        """All chunks, in the order of the corpus."""
        return self._documents

    @property
    def embeddings(self) -> Embeddings:
        """Turns the corpus' questions into their vectors."""
        return self._embeddings

    def __len__(self) -> int:
        return len(self._documents)

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """The ``k`` closest chunks, closest first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, **kwargs)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, *, object_ids: Sequence[str] | None = None
    ) -> list[tuple[Document, float]]:
        """The ``k`` closest chunks with their cosines, closest first."""
        question = np.asarray(self._embeddings.embed_query(query), dtype=np.float32)
        if object_ids is None:
            rows, scores = None, self._vectors @ question
        else:
            rows = self._rows(object_ids)
            scores = self._scores(question, rows)
        best = _best(scores, k)
        positions = best if rows is None else rows[best]
        return [
            (self._documents[row], score)
            for row, score in zip(positions.tolist(), scores[best].tolist(), strict=True)
        ]

    @classmethod
    def from_texts(cls, *args: Any, **kwargs: Any) -> ExactVectorStore:
        """Not offered: the store is made from a corpus of vectors.

        Raises:
            TypeError: Always.
        """
        raise TypeError("ExactVectorStore is made from a Corpus, not from texts")

    def _rows(self, object_ids: Iterable[str]) -> NDArray[np.int64]:
        numbers = [self._number_of[name] for name in object_ids if name in self._number_of]
        first = np.sort(np.asarray(numbers, dtype=np.int64)) * self._chunks_per_object
        return (first[:, None] + np.arange(self._chunks_per_object)).ravel()

    def _scores(
        self, question: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        if len(rows) < len(self._vectors) * _GATHERING_PAYS_BELOW:
            gathered: NDArray[np.float32] = self._vectors[rows] @ question
            return gathered
        every: NDArray[np.float32] = self._vectors @ question
        return every[rows]


class _KnownQuestions(Embeddings):
    """Knows the vectors of the corpus' questions by heart, so that embedding takes no time."""

    def __init__(self, corpus: Corpus) -> None:
        self._vectors = {
            question_text(number): vector for number, vector in enumerate(corpus.questions)
        }

    def embed_query(self, text: str) -> list[float]:
        vector: Any = self._vectors[text]
        return list(vector)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Returns the positions of the ``k`` highest scores, highest first."""
    if k < len(scores):
        candidates = np.sort(np.argpartition(-scores, k)[:k])
    else:
        candidates = np.arange(len(scores))
    return candidates[np.argsort(-scores[candidates], kind="stable")]
