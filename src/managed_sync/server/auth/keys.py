"""The keys that verify a project's tokens, reloaded while the server runs.

To rotate: add the new key, sign with it, and delete the old key when the last token that it signed
has expired. No restart is needed, and no valid token is refused: before the server refuses a token
that no known key has signed, it looks for new keys.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from time import monotonic

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from managed_sync.errors import ConfigurationError
from managed_sync.logs import get_logger
from managed_sync.server.auth.signing_key import (
    key_files,
    load_or_create_signing_key,
    read_public_key,
)

__all__ = ["KeyRing"]

_logger = get_logger("managed_sync.server")

_LOOK_SECONDS = 1.0


class KeyRing:
    """The public keys of one project.

    Args:
        folder: The folder with the ``*.pem`` files; a key is created if there is none.

    Raises:
        ConfigurationError: The folder cannot be used, or a file in it is not an RSA key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        try:
            files = key_files(folder)
            if not files:
                load_or_create_signing_key(folder)
            self._keys = [read_public_key(path) for path in key_files(folder)]
            self._seen = self._look()
        except OSError as error:
            raise ConfigurationError(
                f"Cannot read the keys in {folder}: {error.strerror}. Correct its access rights."
            ) from None
        self._next_look = monotonic() + _LOOK_SECONDS

    def public_keys(self) -> list[RSAPublicKey]:
        """Returns the keys, at most one second old, newest first."""
        with self._lock:
            if monotonic() >= self._next_look:
                self._renew()
            return self._keys[::-1]

    def new_keys(self) -> list[RSAPublicKey]:
        """Reloads the keys now, and returns them if they have changed."""
        with self._lock:
            before = self._seen
            self._renew()
            return [] if self._seen == before else self._keys[::-1]

    def _look(self) -> list[tuple[str, int, int, int]]:
        files = [(path.name, path.stat()) for path in key_files(self._folder)]
        return [
            (name, status.st_mtime_ns, status.st_ctime_ns, status.st_size) for name, status in files
        ]

    def _renew(self) -> None:
        self._next_look = monotonic() + _LOOK_SECONDS
        try:
            seen = self._look()
            if seen == self._seen:
                return
            keys = []
            for name, *_ in seen:
                try:
                    keys.append(read_public_key(self._folder / name))
                except ConfigurationError as error:
                    # This key is ignored; the others must still be reloaded.
                    _logger.error("%s", error)
        except OSError as error:
            _logger.error("The keys in %s cannot be read: %s", self._folder, error.strerror)
            return
        self._keys, self._seen = keys, seen
        _logger.info("The keys in %s changed; there are %d now", self._folder, len(keys))
