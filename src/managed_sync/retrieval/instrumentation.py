"""Keeps what a search finds from OpenTelemetry's instrumentations, until it is checked.

These reach into frameworks, models' clients and stores' clients, past what a framework offers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

__all__ = ["uninstrumented"]


def uninstrumented() -> AbstractContextManager[None]:
    """Where instrumentations that OpenTelemetry knows of record nothing, in this context only."""
    return _suppression()()


@functools.cache
def _suppression() -> Callable[[], AbstractContextManager[None]]:
    try:
        from opentelemetry.instrumentation.utils import (  # noqa: PLC0415
            suppress_instrumentation,
        )
    except ImportError:  # Whatever instruments something brings this package.
        return nullcontext
    suppression: Callable[[], AbstractContextManager[None]] = suppress_instrumentation
    return suppression
