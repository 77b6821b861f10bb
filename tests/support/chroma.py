"""Chroma's databases in this process, which stay open until they are stopped."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def closing_new_databases() -> Iterator[None]:
    """Closes the databases that a block opens; each holds a dozen file descriptors."""
    before = set(_systems())
    yield
    for place in _systems().keys() - before:
        _shared()._identifier_to_refcount.pop(place, None)
        _systems().pop(place).stop()


def _systems() -> dict[str, Any]:
    # By the folder; private, as chromadb 1.5 has it. Frameworks open clients that nobody can close.
    systems: dict[str, Any] = getattr(_shared(), "_identifier_to_system", {})
    return systems


def _shared() -> Any:
    module = sys.modules.get("chromadb.api.shared_system_client")
    return getattr(module, "SharedSystemClient", None)
