"""The figures, and their table."""

from __future__ import annotations

import os
import platform
from itertools import islice
from statistics import median
from typing import Any

from benchmarks.common.tables import markdown_table
from benchmarks.server_load.measurement import WEIGHTS, Measured

__all__ = ["as_markdown", "summary"]

_MEGABYTE = 1 << 20


def summary(measured: Measured, clients: int, seconds: float) -> dict[str, Any]:
    """The figures: percentiles in milliseconds, and memory at the end against after the warm-up."""
    everything = sorted(one for some in measured.seconds.values() for one in some)
    settled = [rss for at, rss in measured.memory if at >= seconds / 4]
    quarter = max(1, len(settled) // 4)
    first, last = median(settled[:quarter]), median(islice(reversed(settled), quarter))
    return {
        "clients": clients,
        "seconds": seconds,
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "requests": len(everything),
        "errors": dict(measured.errors),
        "requests_per_second": round(len(everything) / seconds, 1),
        "milliseconds": {
            "all": _percentiles(everything),
            **{name: _percentiles(sorted(some)) for name, some in sorted(measured.seconds.items())},
        },
        "memory_mb": {"settled": round(first / _MEGABYTE, 1), "end": round(last / _MEGABYTE, 1)},
        "memory_growth": round(last / first, 3),
    }


def as_markdown(found: dict[str, Any]) -> str:
    """The figures as a table."""
    errors = ", ".join(f"{count} times {name}" for name, count in found["errors"].items())
    memory = found["memory_mb"]
    rows = [
        [name, f"{share:.0%}", *(f"{times[p]:.0f}" for p in ("p50", "p95", "p99"))]
        for name, times in found["milliseconds"].items()
        for share in [WEIGHTS.get(name, sum(WEIGHTS.values())) / sum(WEIGHTS.values())]
    ]
    measured = (
        f"{found['clients']} clients for {found['seconds']:g} s on {found['cores']} cores, "
        f"Python {found['python']}: {found['requests']:,} requests, "
        f"{found['requests_per_second']:.0f} a second; errors: **{errors or 'none'}**; the "
        f"server's memory after the first quarter and at the end: {memory['settled']:.0f} and "
        f"{memory['end']:.0f} MB."
    )
    header = ["request", "share", "median ms", "p95 ms", "p99 ms"]
    return f"{measured}\n\n{markdown_table(header, rows)}"


def _percentiles(ordered: list[float]) -> dict[str, float]:
    return {
        f"p{percent}": round(
            ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000, 1
        )
        for percent in (50, 95, 99)
    }
