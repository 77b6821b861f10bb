"""Using ``unstructured`` without its language model, which it would download.

``unstructured`` asks spaCy whether a paragraph has a verb, to call it narrative or not. That
answer is of no use here: a heading is a heading because the file says so, and every other
paragraph is written down in the same way. So while a file is read, spaCy's blank English
pipeline, which is part of spaCy itself, stands in for the model: nothing to install, nothing to
download, and some fourteen times the speed. See ``docs/decisions/0007-documents-spacy-model.md``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from managed_sync.errors import ConfigurationError

__all__ = ["without_language_model"]

_lock = threading.RLock()
_CACHES = ("_process_cached", "word_tokenize", "pos_tag", "_tokenize_for_cache")


@cache
def _blank_pipeline() -> Any:
    import spacy  # noqa: PLC0415 - a second to import, and only some formats need it

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    return pipeline


@contextmanager
def without_language_model() -> Iterator[None]:
    """Keeps ``unstructured`` from loading or downloading a model inside the ``with`` block.

    What the rest of the program does with ``unstructured`` is as before afterwards, including
    what it has cached.

    Raises:
        ConfigurationError: This release of ``unstructured`` is built differently.
    """
    from unstructured.nlp import tokenize  # noqa: PLC0415 - comes with an extra

    if not all(hasattr(tokenize, name) for name in ("_get_nlp", *_CACHES)):
        raise ConfigurationError(
            "This release of unstructured cannot be kept from downloading a language model; "
            "install one that this package is tested with: pip install 'managed-sync[unstructured]'"
        )
    with _lock:
        load_model = tokenize._get_nlp
        tokenize._get_nlp = _blank_pipeline
        _forget(tokenize)
        try:
            yield
        finally:
            tokenize._get_nlp = load_model
            _forget(tokenize)


def _forget(tokenize: Any) -> None:
    """Answers of one pipeline must not be given as the other's."""
    for name in _CACHES:
        getattr(tokenize, name).cache_clear()
