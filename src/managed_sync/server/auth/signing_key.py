"""A project's keys: RSA keys in the ``*.pem`` files of one folder.

One is made when there is none. Private ones are kept readable by their owner only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from managed_sync.errors import ConfigurationError
from managed_sync.private_files import private_folder

__all__ = ["SigningKey", "key_files", "load_or_create_signing_key", "read_public_key"]

_FILE = "signing-key.pem"
_OWNER_ONLY = 0o600
_OTHERS = 0o077
_LEAST_BITS = 2048


@dataclass(frozen=True)
class SigningKey:
    """A project's key.

    Attributes:
        pem: The RSA private key, in PEM.
        public_key: Its public half, which is all that verifying a token takes.
    """

    pem: str = field(repr=False)
    public_key: rsa.RSAPublicKey


def key_files(folder: Path) -> list[Path]:
    """The files with keys, the newest last."""
    return sorted(folder.glob("*.pem"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def load_or_create_signing_key(folder: Path) -> SigningKey:
    """The key that signs new tokens: the newest private one of a folder.

    Raises:
        ConfigurationError: The folder cannot be used, a file in it is not an RSA key, or there are
            only public ones.
    """
    try:
        private_folder(folder, is_ours=False)
        if not key_files(folder):
            _create(folder / _FILE)
        found = [_read(path) for path in key_files(folder)]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"Cannot keep the signing key in {folder / _FILE}: {_reason(error)}. "
            "Choose a folder that you may write to, or delete the file to get a new key."
        ) from None
    signing = [key for key in found if isinstance(key, SigningKey)]
    if not signing:
        raise ConfigurationError(
            f"{folder} holds public keys only; sign tokens where the private key is."
        )
    return signing[-1]


def read_public_key(path: Path) -> rsa.RSAPublicKey:
    """The public half of the key in a file.

    Raises:
        ConfigurationError: The file is not an RSA key, or a short one.
        OSError: It cannot be read.
    """
    key = _read(path)
    return key.public_key if isinstance(key, SigningKey) else key


def _read(path: Path) -> SigningKey | rsa.RSAPublicKey:
    content = path.read_bytes()
    try:
        if b"PRIVATE KEY" in content:
            # Somebody may have loosened it, for instance by copying the folder. One that is closed
            # is left alone: a change of the mode would look like another key to a server.
            if path.stat().st_mode & _OTHERS:
                path.chmod(_OWNER_ONLY)
            key: object = serialization.load_pem_private_key(content, password=None)
        else:
            key = serialization.load_pem_public_key(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        raise ConfigurationError(f"{path} is not an RSA key in PEM; delete or replace it.")
    if key.key_size < _LEAST_BITS:
        raise ConfigurationError(
            f"{path} is a key of {key.key_size} bits; replace it by one of at least {_LEAST_BITS}."
        )
    if isinstance(key, rsa.RSAPrivateKey):
        return SigningKey(content.decode("ascii"), key.public_key())
    return key


def _create(path: Path) -> None:
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
