"""The project's signing key: made once, kept in the state folder, readable by its owner only."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from managed_sync.errors import ConfigurationError

__all__ = ["SigningKey", "load_or_create_signing_key"]

_FILE = "signing-key.pem"
_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class SigningKey:
    """A project's key.

    Attributes:
        pem: The RSA private key, in PEM.
        public_key: Its public half, which is all that verifying a token takes.
    """

    pem: str = field(repr=False)
    public_key: rsa.RSAPublicKey


def load_or_create_signing_key(state: Path) -> SigningKey:
    """The signing key of the server whose state folder this is.

    Raises:
        ConfigurationError: The folder cannot be used, or the file in it is not an RSA key.
    """
    path = state / _FILE
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path)
        # Somebody may have loosened it, for instance by copying the folder.
        path.chmod(_OWNER_ONLY)
        pem = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"Cannot keep the signing key in {path}: {_reason(error)}. "
            "Choose a state folder that you may write to, or delete the file to get a new key."
        ) from None
    try:
        key = serialization.load_pem_private_key(pem.encode("ascii"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigurationError(f"{path} is not an RSA private key; delete it to get a new one.")
    return SigningKey(pem, key.public_key())


def _create(path: Path) -> None:
    if path.exists():
        return
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Written under another name first, so that a crash does not leave half a key.
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
        file.write(pem)
    draft.replace(path)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
