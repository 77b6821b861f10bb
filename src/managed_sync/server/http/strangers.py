"""The connections that have not brought a valid token yet, limited in number."""

from __future__ import annotations

import ipaddress
import sys
from collections import defaultdict
from collections.abc import Callable
from time import monotonic
from typing import Protocol

__all__ = ["Strangers"]

# Whoever has one address of IPv6 usually has the other ones of its network too.
_IPV6_NETWORK_BITS = 64
# How long a new connection is left alone, so that many clients may come at once.
_GRACE_SECONDS = 1.0


class _Closeable(Protocol):
    def abort(self) -> None: ...


class Strangers:
    """The open connections without a valid token, the oldest first.

    One that is too many closes the oldest, not itself: who floods the server only pushes out its
    own connections, while a probe or a new client is answered.

    Args:
        per_address: How many of them one address may hold for longer than a moment.
        total: How many there may be; never more than a quarter of the process' open files.
        clock: Seconds that only go forward.
    """

    def __init__(
        self, *, per_address: int, total: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._per_address = per_address
        self._total = min(total, max(1, _open_files() // 4))
        self._clock = clock
        # Dictionaries keep the order of insertion, which is that of age.
        self._all: dict[_Closeable, str] = {}
        self._by_address: defaultdict[str, dict[_Closeable, float]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: _Closeable, address: str) -> None:
        """Adds a new connection, and closes the oldest one if that is one too many."""
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
        """Forgets a connection that brought a valid token, or is closed."""
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
