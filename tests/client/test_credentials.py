"""Tokens from a fixed value and from a signing key."""

from __future__ import annotations

import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from managed_sync import AsyncManagedSyncClient, ManagedSyncClient
from managed_sync.client.credentials import FixedToken, SignedTokens
from managed_sync.errors import ConfigurationError


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def test_a_signing_key_makes_tokens_for_one_user_of_one_project(
    private_key: rsa.RSAPrivateKey,
) -> None:
    key = SignedTokens(SecretStr(pem(private_key)), user_id="u1", project_id="p1")

    claims = jwt.decode(
        key.token(), private_key.public_key(), algorithms=["RS256"], audience="useparagon.com/p1"
    )

    assert claims["sub"] == "u1"
    assert claims["exp"] - claims["iat"] == 3600


def test_a_token_is_kept_until_shortly_before_it_expires(private_key: rsa.RSAPrivateKey) -> None:
    lasting = SignedTokens(SecretStr(pem(private_key)), user_id="u1", project_id="p1")
    first = lasting.token()
    assert lasting.token() is first

    # With 30 s to live, a token is always within the last minute of its life.
    brief = SignedTokens(SecretStr(pem(private_key)), user_id="u1", project_id="p1", lifetime=30)
    first = brief.token()
    assert brief.token() is not first


@pytest.mark.parametrize("jump", [-400 * 86400.0, -3600.0, 7200.0])
def test_a_clock_that_jumps_leads_to_a_token_of_the_present(
    private_key: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    key = SignedTokens(SecretStr(pem(private_key)), user_id="u1", project_id="p1")
    now = time.time() + jump
    monkeypatch.setattr("managed_sync.client.credentials.time.time", lambda: now)

    claims = jwt.decode(key.token(), options={"verify_signature": False})

    assert claims["iat"] == int(now)


def test_line_breaks_may_be_written_as_they_are_in_environment_variables(
    private_key: rsa.RSAPrivateKey,
) -> None:
    one_line = pem(private_key).replace("\n", "\\n")

    assert SignedTokens(SecretStr(one_line), user_id="u1", project_id="p1").token()


@pytest.mark.parametrize("key", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_key_that_is_none_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigurationError, match="MANAGED_SYNC_SIGNING_KEY") as caught:
        SignedTokens(SecretStr(key), user_id="u1", project_id="p1")

    assert caught.value.__cause__ is None
    assert "AAAA" not in str(caught.value)


@pytest.mark.parametrize("token", ["", "  ", "two words", "line\nbreak", "ünicode"])
def test_a_token_that_cannot_be_one_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ConfigurationError, match="MANAGED_SYNC_TOKEN") as caught:
        FixedToken(SecretStr(token))

    assert not token.strip() or token not in str(caught.value)


def test_no_representation_shows_a_token_or_a_key(private_key: rsa.RSAPrivateKey) -> None:
    key = SignedTokens(SecretStr(pem(private_key)), user_id="u1", project_id="p1")
    token = FixedToken(SecretStr("secret-token"))

    for shown in (repr(vars(key)), repr(vars(token)), repr(key), repr(token)):
        assert "secret-token" not in shown
        assert "PRIVATE" not in shown
        assert key.token() not in shown


@pytest.mark.parametrize("client", [ManagedSyncClient, AsyncManagedSyncClient])
def test_a_signing_key_that_is_passed_replaces_the_token_of_the_environment(
    client: type[ManagedSyncClient | AsyncManagedSyncClient],
    private_key: rsa.RSAPrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MANAGED_SYNC_PROJECT_ID", "p1")
    monkeypatch.setenv("MANAGED_SYNC_TOKEN", "t")
    monkeypatch.setenv("MANAGED_SYNC_USER_ID", "u1")

    assert client.from_env().connected_user is None
    assert client.from_env(signing_key=pem(private_key)).connected_user == "u1"
