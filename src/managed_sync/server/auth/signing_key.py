"""A project's RSA keys, in the ``*.pem`` files of one folder.

A key is created if there is none. Only their owner can read private keys.
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
from managed_sync.private_keys import keep_new_key, private_key

__all__ = ["KeyPair", "key_files", "load_or_create_signing_key", "read_public_key"]

_FILE = "signing-key.pem"
_OWNER_ONLY = 0o600
_OTHERS = 0o077
_LEAST_BITS = 2048


@dataclass(frozen=True)
class KeyPair:
    """A private key of a project, with its public half.

    Attributes:
        pem: The RSA private key, in PEM.
        private_key: The same key, which signs tokens.
    """

    pem: str = field(repr=False)
    private_key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """The public key, which verifies tokens."""
        return self.private_key.public_key()


def key_files(folder: Path) -> list[Path]:
    """Returns the files with keys, newest last."""
    return sorted(folder.glob("*.pem"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def load_or_create_signing_key(folder: Path) -> KeyPair:
    """Returns the key that signs new tokens: the newest private key of a folder.

    Raises:
        ConfigurationError: The folder cannot be used, a file in it is not an RSA key, or it
            contains only public keys.
    """
    try:
        private_folder(folder, is_ours=False)
        if not key_files(folder):
            _create(folder / _FILE)
        found = [_read(path) for path in key_files(folder)]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"Cannot keep the signing key in {folder / _FILE}: {_reason(error)}. "
            "Choose a folder that you can write to, or delete the file to get a new key."
        ) from None
    signing = [key for key in found if isinstance(key, KeyPair)]
    if not signing:
        raise ConfigurationError(
            f"{folder} contains only public keys. Sign tokens where the private key is."
        )
    return signing[-1]


def read_public_key(path: Path) -> rsa.RSAPublicKey:
    """Returns the public half of the key in a file.

    Raises:
        ConfigurationError: The file is not an RSA key, or the key is too short.
        OSError: The file cannot be read.
    """
    key = _read(path)
    return key.public_key if isinstance(key, KeyPair) else key


def _read(path: Path) -> KeyPair | rsa.RSAPublicKey:
    content = path.read_bytes()
    try:
        if b"PRIVATE KEY" in content:
            # Copying the folder, for example, may have opened the file to others. A closed file is
            # left alone: to a server, a change of its mode would look like another key.
            if path.stat().st_mode & _OTHERS:
                path.chmod(_OWNER_ONLY)
            key: object = private_key(content)
        else:
            key = serialization.load_pem_public_key(content)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, rsa.RSAPrivateKey | rsa.RSAPublicKey):
        raise ConfigurationError(f"{path} must be an RSA key in PEM; delete or replace the file.")
    if key.key_size < _LEAST_BITS:
        raise ConfigurationError(
            f"{path} must be a key of at least {_LEAST_BITS} bits, got {key.key_size}; replace it."
        )
    if isinstance(key, rsa.RSAPrivateKey):
        return KeyPair(content.decode("ascii"), key)
    return key


def _create(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Written under another name first, so that a crash cannot leave half a key.
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "wb") as file:
        file.write(pem)
    draft.replace(path)
    keep_new_key(pem, key)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
