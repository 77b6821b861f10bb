"""A server's proof that it is the one that works with a state folder.

An open port does not tell which program listens there: after a server was killed, another user's
program can take its port. At each start a server writes a new secret into its state folder, which
only its own user can read. A client sends a random challenge, and the server returns an HMAC of it
that nobody can compute without the secret. Address and port are part of the HMAC, so a response
that was relayed from another server proves nothing.
"""

from __future__ import annotations

import hmac
import secrets
from pathlib import Path

from managed_sync.errors import ConfigurationError
from managed_sync.private_files import write_private

__all__ = ["PROOF_PATH", "Proof", "known_proof", "new_proof"]

PROOF_PATH = "/proof/"
_FILE = "proof-secret"


class Proof:
    """Answers challenges with the secret of a state folder."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def answer(self, challenge: str, host: str, port: int) -> str:
        """Returns the response of the server that listens on this address and port."""
        message = f"managed-sync server\n{host}\n{port}\n{challenge}"
        return hmac.new(self._secret, message.encode(), "sha256").hexdigest()


def new_proof(state: Path) -> Proof:
    """Writes a new secret into a state folder; the caller must hold the folder's lock.

    Raises:
        ConfigurationError: The folder cannot be used.
    """
    secret = secrets.token_hex(32)
    try:
        write_private(state / _FILE, secret)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write into the state folder {state}: {error.strerror}. Choose a folder that "
            "you can write to, and make sure that its disk has space left."
        ) from None
    return Proof(secret)


def known_proof(state: Path) -> Proof | None:
    """Returns the proof of the last server that used the folder, or ``None``."""
    try:
        secret = (state / _FILE).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return Proof(secret) if secret else None
