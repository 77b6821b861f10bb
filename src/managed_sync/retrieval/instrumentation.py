"""Hides the results of a search from OpenTelemetry's instrumentations until they are checked.

These reach into frameworks, models' clients and stores' clients, past what a framework offers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

__all__ = ["suppression"]


@functools.cache
def suppression() -> Callable[[], AbstractContextManager[None]]:
    """Returns OpenTelemetry's context manager that stops its instrumentations in one context.

    Without OpenTelemetry's instrumentation package there are none, and it does nothing.
    """
    try:
        from opentelemetry.instrumentation.utils import (  # noqa: PLC0415
            suppress_instrumentation,
        )
    except ImportError:  # Every instrumentation depends on this package.
        return nullcontext
    suppress: Callable[[], AbstractContextManager[None]] = suppress_instrumentation
    return suppress
