"""Bearer tokens: verified by the server, signed by a customer's backend.

Guarantees:

- Only RS256 signatures by one of the project's own keys are accepted; a token can neither
  choose another algorithm nor bring its own key.
- A token must name its user and its project, and must expire.
- No message contains the token or a part of it.

See ``docs/decisions/0028-server-tokens.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from managed_sync.errors import ConfigurationError
from managed_sync.server.auth.keys import KeyRing
from managed_sync.server.auth.signing_key import KeyPair
from managed_sync.server.domain import Scope

__all__ = ["TokenError", "TokenVerifier", "UnknownProjectError", "WrongProjectError", "sign_token"]

_AUDIENCE = "useparagon.com/"
_LEEWAY_SECONDS = 10
_REQUIRED_CLAIMS = ["sub", "aud", "exp", "iat"]
# PyJWT before 2.15 raises the last three for a time that is a list, for an infinite time, and for
# claims that are nested too deeply.
_MALFORMED = (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError)


class TokenError(Exception):
    """A request without a valid token; the message has the reason and the remedy.

    Args:
        message: Both, in sentences, without any part of the token.
        is_missing: Whether the request has no token at all.
    """

    def __init__(self, message: str, *, is_missing: bool = False) -> None:
        super().__init__(message)
        self.is_missing = is_missing


class WrongProjectError(Exception):
    """The token of a request is for another project than its path."""


class UnknownProjectError(LookupError):
    """The server does not have the project of a request with a valid token."""


class TokenVerifier:
    """Finds out which connected user a request comes from.

    Args:
        keys: The keys of every project that is served, by project id.
    """

    def __init__(self, keys: Mapping[str, KeyRing]) -> None:
        self._keys = keys

    def verify(self, authorization: list[str], project_id: str | None) -> Scope:
        """Returns the connected user that a request comes from.

        Args:
            authorization: All ``Authorization`` headers of the request.
            project_id: The project in the request's path; ``None`` if the path names
                none; then the audience of the token does.

        Raises:
            TokenError: The request has no valid token.
            WrongProjectError: The token is for another project.
            UnknownProjectError: The server does not have the project.
        """
        token = _bearer(authorization)
        if project_id is None:
            project_id = self._project_of(token)
        claims = self._verified(token, project_id)
        user = claims["sub"]
        if not user.strip() or not user.isprintable():
            raise TokenError("The token's claim 'sub' must name a user.")
        if project_id not in self._keys:
            raise UnknownProjectError(f"This server has no project {project_id!r}.")
        return Scope(project_id, user)

    def _project_of(self, token: str) -> str:
        """Returns the project that a token claims, whose keys must verify it."""
        try:
            audience = jwt.decode(token, options={"verify_signature": False}).get("aud")
        except _MALFORMED:
            raise TokenError("The token is malformed.") from None
        for name in audience if isinstance(audience, list) else [audience]:
            project_id = str(name).removeprefix(_AUDIENCE)
            if name == f"{_AUDIENCE}{project_id}" and project_id in self._keys:
                return project_id
        raise TokenError(
            f"The token's claim 'aud' must be {_AUDIENCE!r} followed by a project of this server."
        )

    def _verified(self, token: str, project_id: str) -> dict[str, Any]:
        audience = f"{_AUDIENCE}{project_id}"
        # Only a client with a key of this server learns that a project is not served here.
        rings = [self._keys[project_id]] if project_id in self._keys else self._keys.values()
        for keys_of in (KeyRing.public_keys, KeyRing.new_keys):
            for key in (key for ring in rings for key in keys_of(ring)):
                try:
                    return self._claims(token, key, audience=audience)
                except jwt.InvalidSignatureError:
                    continue
        raise TokenError(
            "The token must be signed with a key of this project; it is signed with another key."
        )

    def _claims(self, token: str, key: RSAPublicKey, *, audience: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=audience,
                leeway=_LEEWAY_SECONDS,
                options={"require": _REQUIRED_CLAIMS},
            )
        except jwt.ExpiredSignatureError:
            raise TokenError("The token has expired; sign a new one.") from None
        except jwt.InvalidSignatureError:
            raise  # another key may have signed it
        except jwt.InvalidAlgorithmError:
            raise TokenError("The token must be signed with RS256.") from None
        except jwt.MissingRequiredClaimError as error:
            raise TokenError(f"The token must have the claim {error.claim!r}.") from None
        except jwt.ImmatureSignatureError:
            raise TokenError(
                "The token is not valid yet. Compare the clocks of the two machines."
            ) from None
        except jwt.InvalidAudienceError:
            raise WrongProjectError(
                f"The token is for another project; its claim 'aud' must contain {audience!r}."
            ) from None
        except _MALFORMED:
            raise TokenError("The token is malformed.") from None
        return claims


def sign_token(key: KeyPair, *, project_id: str, user_id: str, seconds: int) -> str:
    """Returns a token as a customer's backend signs it.

    Raises:
        ConfigurationError: The user's name is empty or not printable.
    """
    if not user_id.strip() or not user_id.isprintable():
        raise ConfigurationError(f"user_id must be a name such as 'user-1', got {user_id!r}.")
    now = int(time())
    claims = {
        "sub": user_id,
        "aud": f"{_AUDIENCE}{project_id}",
        "iat": now,
        "exp": now + seconds,
    }
    return jwt.encode(claims, key.private_key, algorithm="RS256")


def _bearer(authorization: list[str]) -> str:
    if not authorization:
        raise TokenError(
            "The request has no token. Send the header 'Authorization: Bearer <token>'.",
            is_missing=True,
        )
    if len(authorization) > 1:
        raise TokenError("A request must have one Authorization header, got several.")
    scheme, _, token = authorization[0].partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise TokenError("The Authorization header must be 'Bearer <token>'.")
    return token.strip()
