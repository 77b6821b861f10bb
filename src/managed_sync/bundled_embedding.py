"""The embedding model of the extra ``demo``: small, static, and offline.

See ``docs/decisions/0012-stores-default.md``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from managed_sync.errors import MissingExtraError

__all__ = ["BUNDLED_DIMENSIONS", "BUNDLED_NAME", "BundledModel", "load_bundled_model"]

BUNDLED_DIMENSIONS = 256
BUNDLED_NAME = "bundled"


class BundledModel:
    """A model that turns texts into vectors of 256 dimensions and length 1."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Returns one vector per text. All texts without words share one vector."""
        if not texts:
            return []
        vectors = self._model.embed(list(texts))
        lengths = (vectors**2).sum(axis=1, keepdims=True) ** 0.5
        # A zero vector has no direction, and stores would divide by its length.
        vectors[lengths[:, 0] == 0] = 1
        lengths[lengths == 0] = BUNDLED_DIMENSIONS**0.5
        unit_vectors: list[list[float]] = (vectors / lengths).tolist()
        return unit_vectors


def load_bundled_model(feature: str = "The bundled embedding") -> BundledModel:
    """Loads WordLlama's 256-dimension model from the installed package, once per process.

    Args:
        feature: The feature that needs it, as the start of an error's message.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
    """
    specification = find_spec("wordllama")
    if specification is None or specification.origin is None:
        raise MissingExtraError(feature, "demo")
    return _loaded(Path(specification.origin).parent)


@cache
def _loaded(folder: Path) -> BundledModel:
    # WordLlama configures the root logger when it is imported, unless it has a handler.
    placeholder = logging.NullHandler()
    logging.getLogger().addHandler(placeholder)
    import wordllama  # noqa: PLC0415 - slow to import, and optional

    logging.getLogger().removeHandler(placeholder)
    # The wheel carries the tokenizer, but the library looks for it below its cache folder.
    return BundledModel(wordllama.WordLlama.load(cache_dir=folder, disable_download=True))
