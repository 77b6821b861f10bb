"""Bearer tokens: which strings can be one, and what a JWT states about itself."""

from __future__ import annotations

import base64
import binascii
import json
import math
from typing import Any

from pydantic import SecretStr

__all__ = ["connected_user", "expires_at", "read_token"]


def read_token(value: object) -> SecretStr | None:
    """Returns a value as a token, without surrounding blanks; ``None`` if it cannot be one."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    token = value.strip() if isinstance(value, str) else ""
    is_usable = token and token.isascii() and token.isprintable() and " " not in token
    return SecretStr(token) if is_usable else None


def expires_at(token: SecretStr) -> float:
    """Returns the time at which a JWT expires, unverified; infinity for any other token."""
    try:
        return float(_claims(token)["exp"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return math.inf


def connected_user(token: SecretStr) -> str | None:
    """Returns the user of a JWT, unverified; ``None`` for any other token."""
    user = _claims(token).get("sub")
    return user if isinstance(user, str) else None


def _claims(token: SecretStr) -> dict[str, Any]:
    parts = token.get_secret_value().split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}
