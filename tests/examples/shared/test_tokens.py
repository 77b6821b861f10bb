"""Tokens: everything that is not exactly what the issuer signed for this audience is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from examples.shared.tokens import Issuer

ISSUER, HERE = "https://login.x.example", "https://search.x.example"
GOOD: dict[str, Any] = {
    "sub": "ada@x.example",
    "iss": ISSUER,
    "aud": HERE,
    "exp": datetime.now(UTC) + timedelta(hours=1),
}
issuer = Issuer(ISSUER, HERE)


def signed(**changes: Any) -> str:
    """A token of the right key, with other claims; ``None`` leaves one out."""
    claims = {name: value for name, value in {**GOOD, **changes}.items() if value is not None}
    return jwt.encode(claims, issuer._key, algorithm="EdDSA")


def test_a_good_token_says_who_the_user_is() -> None:
    assert issuer.verifier().claims(issuer.issue("ada@x.example"))["sub"] == "ada@x.example"
    assert issuer.verifier().claims(signed())["sub"] == "ada@x.example"


FORGED: dict[str, Callable[[], str]] = {
    "not a token": lambda: "ada@x.example",
    "no signature": lambda: jwt.encode(GOOD, "", algorithm="none"),
    "another key": lambda: jwt.encode(GOOD, Ed25519PrivateKey.generate(), algorithm="EdDSA"),
    "another algorithm": lambda: jwt.encode(GOOD, "a" * 32, algorithm="HS256"),
    "another user's name in the body": lambda: tampered(signed(), "ada", "ben"),
    "another audience": lambda: signed(aud="https://mail.x.example"),
    "another issuer": lambda: signed(iss="https://evil.example"),
    "expired": lambda: signed(exp=datetime.now(UTC) - timedelta(seconds=1)),
    "no end": lambda: signed(exp=None),
    "nobody": lambda: signed(sub=None),
    "blank": lambda: signed(sub="  "),
    "no audience": lambda: signed(aud=None),
}


def tampered(token: str, old: str, new: str) -> str:
    from jwt.utils import base64url_decode, base64url_encode

    head, body, signature = token.split(".")
    changed = base64url_decode(body).replace(old.encode(), new.encode())
    return f"{head}.{base64url_encode(changed).decode()}.{signature}"


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_any_other_is_refused(forge: Callable[[], str]) -> None:
    with pytest.raises(jwt.InvalidTokenError):
        issuer.verifier().claims(forge())
