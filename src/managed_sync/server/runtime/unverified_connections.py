"""The limit on connections that have not sent a valid token yet."""

from __future__ import annotations

import ipaddress
import sys
from collections import defaultdict
from collections.abc import Callable
from time import monotonic
from typing import Protocol

__all__ = ["UnverifiedConnections"]

# A client with one IPv6 address usually controls the rest of its network, too.
_IPV6_NETWORK_BITS = 64
# The limit per address closes no newer connection, so that many clients can connect at once.
_GRACE_SECONDS = 1.0


class _Closeable(Protocol):
    def abort(self) -> None: ...


class UnverifiedConnections:
    """The open connections without a valid token, the oldest first.

    A connection above the limit closes the oldest one, not itself: a client that floods the server
    only loses its own connections, while a probe or a new client is still served.

    Args:
        per_address: The most connections that one address can keep for more than a second.
        total: The most connections in total; capped at a quarter of the open files that the
            process may have.
        clock: Returns the seconds of a monotonic clock.
    """

    def __init__(
        self, *, per_address: int, total: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._per_address = per_address
        self._total = min(total, max(1, _open_files() // 4))
        self._clock = clock
        # Dictionaries keep the order of insertion: the oldest connection comes first.
        self._all: dict[_Closeable, str] = {}
        self._by_address: defaultdict[str, dict[_Closeable, float]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: _Closeable, address: str) -> None:
        """Adds a new connection, and closes the oldest one if a limit is exceeded."""
        network = _network(address)
        self._all[connection] = network
        neighbors = self._by_address[network]
        neighbors[connection] = now = self._clock()
        crowded = len(neighbors) > self._per_address
        oldest, since = next(iter(neighbors.items()))
        if crowded and (now - since >= _GRACE_SECONDS or len(self._all) > self._total):
            self._close(oldest)
        elif len(self._all) > self._total:
            self._close(next(iter(self._all)))

    def discard(self, connection: _Closeable) -> None:
        """Removes a connection that sent a valid token, or was closed."""
        network = self._all.pop(connection, None)
        if network is None:
            return
        neighbors = self._by_address[network]
        del neighbors[connection]
        if not neighbors:
            del self._by_address[network]

    def _close(self, connection: _Closeable) -> None:
        self.discard(connection)
        connection.abort()


def _network(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known.packed, _IPV6_NETWORK_BITS), strict=False))


def _open_files() -> int:
    if sys.platform == "win32":
        return 512
    import resource  # noqa: PLC0415 - there is none on Windows

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else sys.maxsize
