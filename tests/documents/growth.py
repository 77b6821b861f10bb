"""Checks that the work for an input grows with its size alone, without a clock."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

# Work that is quadratic takes minutes for inputs of this suite, and linear work a second.
_GENEROUS_SECONDS = 60


def calls_of(work: Callable[[], object]) -> int:
    """Counts the calls of functions, written in Python or C, that a work makes."""
    count = 0

    def note(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def assert_linear(work: Callable[[int], object], size: int) -> None:
    """Asserts that work on four times the size makes about four times the calls.

    Args:
        work: The work on an input of a size.
        size: The smaller size; quadratic work would make 16 times its calls.
    """
    work(1)  # imports and caches
    few, many = calls_of(lambda: work(size)), calls_of(lambda: work(4 * size))
    assert many < 6 * few + 500, (few, many)


def assert_ends(work: Callable[[], object]) -> None:
    """Asserts that work ends within a limit that only work of another order can exceed.

    It is for work in C, such as regular expressions, whose steps are no calls.
    """
    start = time.process_time()
    work()
    assert time.process_time() - start < _GENEROUS_SECONDS
