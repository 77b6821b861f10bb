"""Proxies that the environment names, and the hosts that are never reached through one.

Guarantees:

- A request to this machine goes there directly, so that no proxy sees its token.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from managed_sync.errors import ConfigurationError

__all__ = ["DirectHosts", "direct_hosts", "environment_errors", "is_this_machine"]

# For the argument ``mounts`` of both kinds of httpx's clients: without a transport of their own,
# these hosts get the default one.
DirectHosts = dict[str, None]

_NAMES = ("localhost", "127.0.0.1", "[::1]")
_VARIABLES = "HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR"


def direct_hosts(base_url: str) -> DirectHosts:
    """Returns the hosts that are reached without a proxy: this machine, by its usual names."""
    names = [*_NAMES, "*.localhost"]
    host = httpx.URL(base_url).host
    if is_this_machine(host):
        names.append(f"[{host}]" if ":" in host else host)
    return dict.fromkeys(f"all://{name}" for name in names)


def is_this_machine(host: str) -> bool:
    """Returns whether a host name or an IP address can only mean the machine itself."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


@contextmanager
def environment_errors() -> Iterator[None]:
    """Turns httpx's errors about the environment into one that names the variables.

    Raises:
        ConfigurationError: A proxy or a certificate cannot be used.
    """
    try:
        yield
    except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".rstrip(".")
    else:
        return
    raise ConfigurationError(
        f"The environment's proxies or certificates cannot be used ({reason}). Correct or unset "
        f"what is wrong among {_VARIABLES}."
    )
