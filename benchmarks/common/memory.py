"""The memory that a process takes."""

from __future__ import annotations

import resource
import sys

__all__ = ["peak_bytes"]

# The operating system counts in bytes on macOS, and in kilobytes elsewhere.
_UNIT = 1 if sys.platform == "darwin" else 1024


def peak_bytes() -> int:
    """Returns the most resident memory that this process ever took."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
