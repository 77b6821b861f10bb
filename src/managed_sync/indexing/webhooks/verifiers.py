"""Recognizes the senders of webhooks; a doubtful sender is refused.

Secrets and signatures are compared in a time that does not depend on where they differ.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Protocol

from pydantic import SecretStr

from managed_sync.errors import ConfigurationError

__all__ = ["SharedSecret", "SignedBody", "Verifier"]

_SHORTEST = 16


class Verifier(Protocol):
    """Recognizes the sender of an event."""

    def accepts(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Returns whether the sender is the expected one; names of headers are in lower case."""


class SharedSecret:
    """A verifier of senders that send a secret in a header.

    Args:
        secret: At least 16 characters.
        header: The header. In ``Authorization`` the secret follows the word ``Bearer``.

    Raises:
        ConfigurationError: The secret is too short.
    """

    def __init__(self, secret: str | SecretStr, *, header: str = "X-Webhook-Secret") -> None:
        self._secret = _checked(secret)
        self._header = header.lower()

    def accepts(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Returns whether the header holds the secret."""
        secret = headers.get(self._header, "")
        if self._header == "authorization":
            scheme, _, secret = secret.partition(" ")
            if scheme.lower() != "bearer":
                return False
        return hmac.compare_digest(secret.encode(), self._secret)


class SignedBody:
    """A verifier of senders that sign the body: HMAC-SHA256 with a secret, in hexadecimal.

    With a timestamp, the sender signs ``<timestamp>.<body>``, so that a signature cannot be used
    again later.

    Args:
        secret: At least 16 characters.
        header: The header with the signature, which may have the prefix ``sha256=``.
        timestamp_header: The header with the time in seconds since 1970, if the sender signs it.
        tolerance: Seconds by which the time may differ.

    Raises:
        ConfigurationError: The secret is too short.
    """

    def __init__(
        self,
        secret: str | SecretStr,
        *,
        header: str = "X-Webhook-Signature",
        timestamp_header: str | None = None,
        tolerance: float = 300.0,
    ) -> None:
        self._secret = _checked(secret)
        self._header = header.lower()
        self._timestamp_header = timestamp_header.lower() if timestamp_header else None
        self._tolerance = tolerance

    def accepts(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Returns whether the body was signed with the secret, and not long ago."""
        signed = body
        if self._timestamp_header is not None:
            timestamp = headers.get(self._timestamp_header, "")
            if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
                return False
            if abs(time.time() - int(timestamp)) > self._tolerance:
                return False
            signed = timestamp.encode() + b"." + body
        expected = hmac.new(self._secret, signed, hashlib.sha256).hexdigest()
        signature = headers.get(self._header, "").removeprefix("sha256=")
        return hmac.compare_digest(signature.lower().encode(), expected.encode())


def _checked(secret: str | SecretStr) -> bytes:
    value = secret.get_secret_value() if isinstance(secret, SecretStr) else secret
    if len(value) < _SHORTEST:
        raise ConfigurationError(
            f"The webhooks' secret must have at least {_SHORTEST} characters, got {len(value)}. "
            f"`python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one."
        )
    return value.encode()
