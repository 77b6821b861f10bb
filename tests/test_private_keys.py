"""Private keys are read once, and never taken for one another."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from managed_sync import private_keys
from managed_sync.private_keys import keep_new_key, private_key


def _pem(encryption: serialization.KeySerializationEncryption | None = None) -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )


def _text(pem: bytes) -> bytes:
    return private_key(pem).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def test_each_text_gives_its_own_key_and_the_same_text_the_same_one() -> None:
    texts = [_pem() for _ in range(40)]
    for _ in range(2):
        assert [_text(each) for each in texts] == texts
    assert private_key(texts[0]) is private_key(texts[0])
    assert len(private_keys._kept) <= 16


def test_a_key_that_was_just_made_is_not_read_again() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    keep_new_key(pem, key)
    assert private_key(pem) is key


def test_the_text_of_a_key_is_not_kept() -> None:
    text = _pem()
    private_key(text)
    assert text not in private_keys._kept


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"", ValueError),
        (b"-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----", ValueError),
        (_pem(serialization.BestAvailableEncryption(b"secret")), TypeError),
    ],
)
def test_what_cannot_be_read_fails_each_time(text: bytes, error: type[Exception]) -> None:
    for _ in range(2):
        with pytest.raises(error):
            private_key(text)
