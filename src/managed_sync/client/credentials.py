"""Where a client's bearer token comes from; neither tokens nor keys show in a representation."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from pydantic import SecretStr

from managed_sync.errors import ConfigurationError

__all__ = ["Credentials", "FixedToken", "SigningKey"]

_RENEW_BEFORE_EXPIRY = 60  # seconds, so that a token never runs out on its way


class Credentials(Protocol):
    """Gives the bearer token for the next request."""

    def token(self) -> str:
        """A token that is valid now."""


class FixedToken:
    """One token for as long as the client lives."""

    def __init__(self, token: SecretStr) -> None:
        value = token.get_secret_value().strip()
        if not value.isascii() or not value.isprintable() or " " in value or not value:
            raise ConfigurationError(
                "The token is empty or has characters that no token has; "
                "check MANAGED_SYNC_TOKEN or the token argument for stray blanks or quotes."
            )
        self._token = SecretStr(value)

    def token(self) -> str:
        """The token."""
        return self._token.get_secret_value()


class SigningKey:
    r"""Makes tokens for one user of one project with the project's RSA private key.

    Args:
        key: The private key in PEM. Line breaks written as ``\n`` are understood, since
            environment variables often carry them so.
        user_id: The connected user, which becomes the token's ``sub``.
        project_id: The project, which becomes the token's ``aud``.
        lifetime: Seconds until a token expires; it is renewed a minute before.

    Raises:
        ConfigurationError: The key cannot be read.
    """

    def __init__(
        self, key: SecretStr, *, user_id: str, project_id: str, lifetime: int = 3600
    ) -> None:
        self._key = SecretStr(key.get_secret_value().replace("\\n", "\n"))
        self._user_id = user_id
        self._audience = f"useparagon.com/{project_id}"
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._token = SecretStr("")
        self._expires_at = 0.0
        self.token()

    def token(self) -> str:
        """A token with at least a minute to live."""
        with self._lock:
            now = time.time()
            if now > self._expires_at - _RENEW_BEFORE_EXPIRY:
                self._token = self._sign(int(now))
                self._expires_at = now + self._lifetime
            return self._token.get_secret_value()

    def _sign(self, now: int) -> SecretStr:
        import jwt  # noqa: PLC0415 - only users of a signing key pay for importing cryptography

        claims = {
            "sub": self._user_id,
            "aud": self._audience,
            "iat": now,
            "exp": now + self._lifetime,
        }
        try:
            return SecretStr(jwt.encode(claims, self._key.get_secret_value(), algorithm="RS256"))
        except (ValueError, TypeError, jwt.PyJWTError):
            # The library's message may quote the key.
            raise ConfigurationError(
                "The signing key is not an RSA private key in PEM: check MANAGED_SYNC_SIGNING_KEY "
                "or the signing_key argument."
            ) from None
