"""Signed tokens that say who somebody is. In your application, an identity provider issues them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["Issuer", "Verifier"]

# Named here and never taken from the token, else a forger could choose "none".
_ALGORITHM = "EdDSA"


class Verifier:
    """Tells a good token from a bad one; it cannot make any.

    With a provider of your own, ``jwt.PyJWKClient`` fetches the key that a token is signed with.

    Args:
        public_key: The issuer's.
        issuer: Who must have issued the token.
        audience: For whom it must have been issued: a token for another service is not for us.
    """

    def __init__(self, public_key: Any, *, issuer: str, audience: str) -> None:
        self._public_key = public_key
        self._issuer = issuer
        self._audience = audience

    def claims(self, token: str) -> dict[str, Any]:
        """Returns the claims of a token; ``sub`` is the user.

        Raises:
            jwt.InvalidTokenError: It is forged, expired, for somebody else, or names nobody.
        """
        claims: dict[str, Any] = jwt.decode(
            token,
            self._public_key,
            algorithms=[_ALGORITHM],
            issuer=self._issuer,
            audience=self._audience,
            options={"require": ["aud", "exp", "iss", "sub"]},
        )
        if not claims["sub"].strip():
            raise jwt.InvalidTokenError("The token names nobody.")
        return claims


class Issuer:
    """Issues tokens for one audience, with a key that is gone when the program ends.

    Args:
        name: The issuer's address.
        audience: The service that the tokens are for.
        lifetime: How long one holds.
    """

    def __init__(
        self, name: str, audience: str, lifetime: timedelta = timedelta(minutes=30)
    ) -> None:
        self._key = Ed25519PrivateKey.generate()
        self._name = name
        self._audience = audience
        self._lifetime = lifetime

    def issue(self, user: str) -> str:
        """A token for a user who has proved who it is."""
        claims = {
            "sub": user,
            "iss": self._name,
            "aud": self._audience,
            "exp": datetime.now(UTC) + self._lifetime,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def verifier(self) -> Verifier:
        """Returns the verifier of these tokens, which a service needs."""
        return Verifier(self._key.public_key(), issuer=self._name, audience=self._audience)
