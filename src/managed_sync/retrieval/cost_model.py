"""Estimates of what a retrieval would cost next, in ids that are checked or listed.

A wrong estimate costs time; it never changes the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = [
    "Sample",
    "further_checks",
    "is_uncertain",
    "list_cost",
]

# Estimates rest on few objects, so more is checked than they say; and the more, the more often
# they were too low.
_FIRST_MARGIN = 1.3
_NEXT_MARGIN = 2.0
# Where nothing allowed was seen, half an object is assumed, as in the rule of succession with
# Jeffreys' prior.
_UNSEEN = 0.5
_ALMOST_NONE = 0.1
# Objects in a store that does not say how much it holds.
_DEFAULT_OBJECT_COUNT = 10_000


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample of a subject's permissions, as one retrieval saw them.

    Attributes:
        checked: Objects that were checked.
        allowed: Those among them that the subject may read.
        hits_per_object: The average number of hits of one object in the ranking.
        found: Hits that may be returned.
    """

    checked: int
    allowed: int
    hits_per_object: float
    found: int


def further_checks(sample: Sample, k: int, round_trips: int) -> int:
    """Returns the number of objects to check next, until ``k`` hits are likely to be allowed."""
    margin = _FIRST_MARGIN if round_trips <= 1 else _NEXT_MARGIN
    return _checks_for(sample, k, margin / _share(max(sample.allowed, _UNSEEN), sample))


def list_cost(sample: Sample, known_size: int | None, object_count: int | None) -> float:
    """Returns the length that a list of the objects the subject may read is likely to have."""
    if known_size is not None:
        return known_size
    return _share(max(sample.allowed, _UNSEEN), sample) * (object_count or _DEFAULT_OBJECT_COUNT)


def is_uncertain(sample: Sample, k: int, object_count: int | None) -> bool:
    """Returns whether a list not seen yet would be cheaper if a little less were allowed.

    "A little less" is a standard deviation of the count, which is its square root.
    """
    share = _share(max(sample.allowed - math.sqrt(sample.allowed), _ALMOST_NONE), sample)
    listing = share * (object_count or _DEFAULT_OBJECT_COUNT)
    return listing + k < _checks_for(sample, k, _FIRST_MARGIN / share)


def _share(allowed: float, sample: Sample) -> float:
    return allowed / max(sample.checked, 1)


def _checks_for(sample: Sample, k: int, checks_per_allowed: float) -> int:
    missing_objects = (k - sample.found) / max(sample.hits_per_object, 1.0)
    return max(1, math.ceil(missing_objects * checks_per_allowed))
