"""Hides the hits of a search from OpenTelemetry's instrumentations, until they are checked.

These instrumentations reach into frameworks and into the clients of models and stores.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

__all__ = ["uninstrumented"]


def uninstrumented() -> AbstractContextManager[None]:
    """Returns a context manager inside which OpenTelemetry's instrumentations record nothing."""
    return _suppression()()


@functools.cache
def _suppression() -> Callable[[], AbstractContextManager[None]]:
    try:
        from opentelemetry.instrumentation.utils import (  # noqa: PLC0415
            suppress_instrumentation,
        )
    except ImportError:  # Every instrumentation depends on this package.
        return nullcontext
    suppression: Callable[[], AbstractContextManager[None]] = suppress_instrumentation
    return suppression
