"""Runs ``unstructured`` quietly, offline, without its language model.

``unstructured`` asks spaCy whether a paragraph has a verb, to call it narrative or not, and would
download a model for that. The answer is of no use here: a heading is a heading because the file
marks it as one, and every other paragraph is written in the same way. So while a file is read, the
blank English pipeline of spaCy itself takes the place of the model: nothing to install, nothing to
download, and some fourteen times the speed. See ``docs/decisions/0007-documents-spacy-model.md``.
"""

from __future__ import annotations

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from managed_sync.documents.parsing.base import nested_too_deeply, unreadable
from managed_sync.errors import (
    ConfigurationError,
    ManagedSyncError,
    MissingExtraError,
)

__all__ = ["running_unstructured", "without_language_model"]

_lock = threading.RLock()
_CACHES = ("_process_cached", "word_tokenize", "pos_tag", "_tokenize_for_cache")


@contextmanager
def running_unstructured(name: str, *, extra: str = "unstructured") -> Iterator[None]:
    """Runs ``unstructured`` in the ``with`` block.

    Args:
        name: The name of the file in error messages.
        extra: The extra to install if a library is missing.

    Raises:
        ParsingError: ``unstructured`` raised any error.
        MissingExtraError: A library is missing.
    """
    _opt_out_of_telemetry()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with without_language_model():
                yield
    except ManagedSyncError:
        raise
    except ImportError as error:
        raise MissingExtraError(f"Reading {name}", extra) from error
    except RecursionError as error:
        raise nested_too_deeply(name) from error
    except Exception as error:
        raise unreadable(name, error) from error


@contextmanager
def without_language_model() -> Iterator[None]:
    """Keeps ``unstructured`` from loading or downloading a model in the ``with`` block.

    Other uses of ``unstructured`` in the program keep their model, and its cached answers are never
    mixed with the answers of the blank pipeline.

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
        load_model = tokenize._get_nlp  # noqa: SLF001 - private in unstructured 0.27
        tokenize._get_nlp = _blank_pipeline  # noqa: SLF001 - private in unstructured 0.27
        _clear_caches(tokenize)
        try:
            yield
        finally:
            tokenize._get_nlp = load_model  # noqa: SLF001 - private in unstructured 0.27
            _clear_caches(tokenize)


@cache
def _blank_pipeline() -> Any:
    import spacy  # noqa: PLC0415 - a second to import, and only some formats need it

    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    return pipeline


def _clear_caches(tokenize: Any) -> None:
    for name in _CACHES:
        getattr(tokenize, name).cache_clear()


def _opt_out_of_telemetry() -> None:
    """Stops ``unstructured`` from reporting its use over the network and printing a notice.

    It reads environment variables only.
    """
    for variable, value in (("SCARF_NO_ANALYTICS", "true"), ("UNSTRUCTURED_DISABLE_NOTICE", "1")):
        if not os.environ.get(variable, "").strip():
            os.environ[variable] = value
    logger = logging.getLogger("unstructured")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)
