"""How a server proves that it is the one that works with a state folder.

A port tells nothing of who listens there: when a server was killed, another user's program may take
its place. So a server keeps a new secret in its state folder, where only its own user can read it,
and answers a question with what nobody can compute without the secret. Address and port are part
of it, so that the answer of a server elsewhere, passed on, proves nothing.
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
    """Answers questions with the secret of a state folder."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def answer(self, question: str, host: str, port: int) -> str:
        """What the server that listens at an address answers."""
        said = f"managed-sync server\n{host}\n{port}\n{question}"
        return hmac.new(self._secret, said.encode(), "sha256").hexdigest()


def new_proof(state: Path) -> Proof:
    """Makes a new secret; for who holds the lock of the folder.

    Raises:
        ConfigurationError: The folder cannot be used.
    """
    secret = secrets.token_hex(32)
    try:
        write_private(state / _FILE, secret)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write into the state folder {state}: {error.strerror}. Choose a folder that "
            "you may write to, and make room on its disk."
        ) from None
    return Proof(secret)


def known_proof(state: Path) -> Proof | None:
    """The secret of the latest server that worked with the folder, if there was one."""
    try:
        secret = (state / _FILE).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return None
    return Proof(secret) if secret else None
