"""A synthetic corpus with the structure of text embeddings, and who may read which part of it.

Only NumPy is needed, so that every environment that takes part reads the same files.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLACEMENTS", "Case", "Corpus", "Placement", "make_cases", "make_corpus"]

Vectors: TypeAlias = NDArray[np.float32]
Numbers: TypeAlias = NDArray[np.int64]
Placement: TypeAlias = Literal["spread", "far"]
PLACEMENTS: tuple[Placement, ...] = ("spread", "far")

# How much of a vector is shared with everything, its topic, its object, and nothing: two chunks
# have a cosine of about 0.15, 0.55 within a topic, and 0.7 within an object. A question is closest
# to one object, but not by so much that its best ten chunks are those of this object alone.
_CHUNK_SHARES = (0.15, 0.40, 0.15, 0.30)
_QUESTION_SHARES = (0.15, 0.40, 0.05, 0.40)
_OBJECTS_PER_TOPIC = 50


@dataclass(frozen=True)
class Corpus:
    """Chunks, and questions about them.

    Attributes:
        vectors: One row of length 1 for each chunk; those of one object are neighbors.
        questions: One row of length 1 for each question.
        chunks_per_object: How many chunks each object has.
    """

    vectors: Vectors
    questions: Vectors
    chunks_per_object: int

    @property
    def object_count(self) -> int:
        """The number of objects."""
        return len(self.vectors) // self.chunks_per_object

    def save(self, folder: Path) -> None:
        """Writes the corpus for other processes."""
        np.savez(
            folder / "corpus.npz",
            vectors=self.vectors,
            questions=self.questions,
            chunks_per_object=self.chunks_per_object,
        )

    @classmethod
    def load(cls, folder: Path) -> Corpus:
        """Reads what ``save`` wrote."""
        with np.load(folder / "corpus.npz") as arrays:
            return cls(arrays["vectors"], arrays["questions"], int(arrays["chunks_per_object"]))


@dataclass(frozen=True)
class Case:
    """One question of one subject, who has asked nothing before.

    Attributes:
        placement: Where the objects lie that the subject may read: ``spread`` over all, or
            ``far``, those that rank last for this question.
        selectivity: The share of the objects that the subject may read.
        question: The question's number.
        allowed: The numbers of the objects that the subject may read.
    """

    placement: Placement
    selectivity: float
    question: int
    allowed: Numbers

    @property
    def subject(self) -> str:
        """The subject's name, another one in each case."""
        return f"{self.placement}-{self.selectivity:g}-{self.question}@example.com"


def make_corpus(
    *, chunks: int, questions: int, seed: int, chunks_per_object: int = 10, dimensions: int = 256
) -> Corpus:
    """A corpus of topics, objects within topics, and chunks within objects.

    Raises:
        ValueError: ``chunks`` is not a positive multiple of ``chunks_per_object``, or there is no
            question.
    """
    if chunks < 1 or chunks % chunks_per_object:
        raise ValueError(f"chunks must be a positive multiple of {chunks_per_object}, not {chunks}")
    if questions < 1:
        raise ValueError(f"questions must be at least 1, not {questions}")
    random = np.random.default_rng(seed)
    objects = chunks // chunks_per_object

    def directions(count: int) -> Vectors:
        return _unit(random.standard_normal((count, dimensions), dtype=np.float32))

    common = directions(1)
    topics = directions(max(2, objects // _OBJECTS_PER_TOPIC))
    own = directions(objects)
    topic_of = random.integers(len(topics), size=objects)
    object_of = np.arange(chunks) // chunks_per_object
    asked = random.integers(objects, size=questions)

    def mixed(shares: Sequence[float], about: Numbers) -> Vectors:
        parts = (common, topics[topic_of[about]], own[about], directions(len(about)))
        total = sum(
            np.float32(share**0.5) * part for share, part in zip(shares, parts, strict=True)
        )
        return _unit(np.asarray(total, dtype=np.float32))

    return Corpus(
        mixed(_CHUNK_SHARES, object_of), mixed(_QUESTION_SHARES, asked), chunks_per_object
    )


def make_cases(corpus: Corpus, selectivities: Sequence[float], seed: int) -> Iterator[Case]:
    """Every question at every selectivity and placement; a share below one object is left out."""
    random = np.random.default_rng(seed)
    closeness = np.stack([_best_chunk(corpus, question) for question in corpus.questions])
    for placement in PLACEMENTS:
        for selectivity in selectivities:
            count = round(corpus.object_count * selectivity)
            if count < 1:
                continue
            for question in range(len(corpus.questions)):
                if placement == "far":
                    allowed = np.argsort(closeness[question], kind="stable")[:count]
                else:
                    allowed = random.choice(corpus.object_count, size=count, replace=False)
                yield Case(placement, selectivity, question, np.sort(allowed).astype(np.int64))


def _best_chunk(corpus: Corpus, question: Vectors) -> Vectors:
    """Returns the best score of each object for a question."""
    scores: Vectors = (corpus.vectors @ question).reshape(-1, corpus.chunks_per_object).max(axis=1)
    return scores


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float32)
