"""Metrics for Prometheus. No label names a user, a project or a record."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

__all__ = ["Metrics"]

_METHODS = {"GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS"}


class Metrics:
    """The metrics of one server, separate from those of other servers in the process.

    Attributes:
        content_type: The media type of the text that ``exposition`` returns.
        in_progress: The number of requests in progress.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self.in_progress = Gauge(
            "managed_sync_requests_in_progress",
            "Requests that are being answered.",
            registry=self._registry,
        )
        self._requests = Counter(
            "managed_sync_requests",
            "Requests that were answered; status 0 for those whose client went away.",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "managed_sync_request_seconds",
            "How long answers took.",
            ["method", "route"],
            registry=self._registry,
        )
        self._syncs = Counter(
            "managed_sync_syncs",
            "Syncs that ended.",
            ["result"],
            registry=self._registry,
        )
        self._sync_seconds = Histogram(
            "managed_sync_sync_seconds",
            "How long syncs took.",
            buckets=(0.1, 1, 10, 60, 300, 1800),
            registry=self._registry,
        )

    def count_request(self, *, method: str, route: str | None, status: int, seconds: float) -> None:
        """Counts a request by route template, since raw paths have unbounded cardinality."""
        labels = (method if method in _METHODS else "other", route or "none")
        self._requests.labels(*labels, str(status)).inc()
        self._seconds.labels(*labels).observe(seconds)

    def count_sync(self, *, result: str, seconds: float) -> None:
        """Counts a sync that succeeded, failed or was abandoned."""
        self._syncs.labels(result).inc()
        self._sync_seconds.observe(seconds)

    def exposition(self) -> bytes:
        """Returns all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
