"""Private keys in PEM, each of which a process reads once.

Reading an RSA key takes some 40 ms, since it is checked; signing a token takes less than one. The
clients of many users have the key of their project in common, and so have a server and its client.

Guarantees:

- A key that was read is found by a digest. The text of the key is not kept.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = ["keep_new_key", "private_key"]

_MOST = 16
_kept: dict[bytes, PrivateKeyTypes] = {}


def private_key(pem: bytes) -> PrivateKeyTypes:
    """Returns the private key in a text.

    Raises:
        ValueError: The text is not a private key.
        TypeError: The key is encrypted.
        cryptography.exceptions.UnsupportedAlgorithm: The kind of the key is unknown.
    """
    # Only those who sign tokens pay for importing cryptography.
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_pem_private_key,
    )

    key = _kept.get(_digest(pem))
    if key is None:
        key = load_pem_private_key(pem, password=None)
        keep_new_key(pem, key)
    return key


def keep_new_key(pem: bytes, key: PrivateKeyTypes) -> None:
    """Keeps a key that this process made or checked, so that its text is not checked again."""
    if len(_kept) >= _MOST:
        _kept.clear()
    _kept[_digest(pem)] = key


def _digest(pem: bytes) -> bytes:
    return hashlib.sha256(pem).digest()
