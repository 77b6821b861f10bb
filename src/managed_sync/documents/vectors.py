"""Vectors of an embedding model, checked before anything is written or removed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from managed_sync.errors import IndexingError

__all__ = [
    "LONGEST_VECTOR",
    "Vector",
    "checked_vectors",
    "raise_for_dimensions",
    "similarity",
]

Vector = list[float]

# Stores compute with 32 bits: the square of a longer vector is infinite there, and that of a
# shorter one is zero.
LONGEST_VECTOR = 1.8e19
_SHORTEST = 1.1e-19


def checked_vectors(vectors: Any, count: int) -> list[Vector]:
    """Returns a model's vectors as lists of numbers.

    Args:
        vectors: What the model returned: lists, arrays or tuples of numbers.
        count: How many texts it was given.

    Raises:
        IndexingError: A vector is missing, empty or zero, is not made of numbers that 32 bits can
            hold and multiply, or has other dimensions than the others.
    """
    try:
        found = [_as_list(vector) for vector in vectors] if vectors is not None else []
    except (TypeError, ValueError, OverflowError):
        raise IndexingError(
            "The embedding model must return lists of numbers, but it returned something else."
        ) from None
    if len(found) != count:
        raise IndexingError(
            f"The embedding model must return one vector for each text, but it returned "
            f"{len(found)} for {count}."
        )
    lengths = {len(vector) for vector in found}
    if len(lengths) > 1:
        raise IndexingError(
            f"The embedding model returned vectors of different lengths "
            f"({', '.join(map(str, sorted(lengths)))}) for texts of one call."
        )
    for vector in found:
        length = math.hypot(*vector)
        if not length <= LONGEST_VECTOR:
            raise IndexingError(
                "The embedding model returned a vector with NaN or infinity in it, or with numbers "
                "that are too large for the 32 bits that stores compute with."
            )
        if length < _SHORTEST:
            raise IndexingError(
                "The embedding model returned a vector that is empty or all zeros, which no "
                "search can find."
            )
    return found


def raise_for_dimensions(vectors: Sequence[Vector], expected: int | None) -> None:
    """Raises if vectors do not fit an index; an index without vectors takes any.

    Raises:
        IndexingError: They have another number of dimensions.
    """
    if expected is None:
        return
    for vector in vectors:
        if len(vector) != expected:
            raise IndexingError(
                f"The embedding model returned a vector of {len(vector)} dimensions, but the index "
                f"holds vectors of {expected}. For another model, make a new, empty index with a "
                f"ledger of its own; or go back to the model that the index was built with."
            )


def similarity(one: Sequence[float], other: Sequence[float]) -> float:
    """Returns the cosine of the angle between two vectors; 0 if they cannot be compared."""
    lengths = math.hypot(*one) * math.hypot(*other)
    if len(one) != len(other) or not lengths:
        return 0.0
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths


def _as_list(vector: Any) -> Vector:
    if isinstance(vector, list) and all(type(value) is float for value in vector):
        return vector
    return [float(value) for value in vector]
