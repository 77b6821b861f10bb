"""The passages that retrievers of both frameworks return, in one form."""

from __future__ import annotations

import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from managed_sync.access.object_ids import OWN_FIELD
from managed_sync.errors import ConfigurationError

__all__ = [
    "AsyncSearch",
    "ReturnedPassage",
    "Search",
    "async_search_of",
    "number_asked_for",
    "passage_of",
    "plain_text",
    "search_of",
]


@dataclass(frozen=True, slots=True)
class ReturnedPassage:
    """A returned passage.

    Attributes:
        text: Its text, with single spaces.
        object_id: The object that it is from; ``None`` if it does not say.
    """

    text: str
    object_id: str | None


Search = Callable[[str], Sequence[Any]]
AsyncSearch = Callable[[str], Awaitable[Sequence[Any]]]


def search_of(retriever: Any) -> Search:
    """Returns the function of a retriever that searches.

    Raises:
        ConfigurationError: It is not a retriever of LangChain or LlamaIndex, nor a function.
    """
    search: Search = _method(retriever, "invoke", "retrieve")
    return search


def async_search_of(retriever: Any) -> AsyncSearch:
    """Returns the coroutine function of a retriever that searches.

    Raises:
        ConfigurationError: It is not a retriever of LangChain or LlamaIndex, nor a function.
    """
    search: AsyncSearch = _method(retriever, "ainvoke", "aretrieve")
    return search


def passage_of(result: Any) -> ReturnedPassage:
    """Returns a document of LangChain or a node of LlamaIndex as a passage.

    Raises:
        ConfigurationError: It is neither.
    """
    item = getattr(result, "node", result)
    text = getattr(item, "page_content", None)
    if text is None:
        text = getattr(item, "text", None)
    metadata = getattr(item, "metadata", None)
    if not isinstance(text, str) or not isinstance(metadata, Mapping):
        raise ConfigurationError(
            f"The retriever must return documents of LangChain or nodes of LlamaIndex, got "
            f"{type(result).__name__}."
        )
    return ReturnedPassage(plain_text(text), OWN_FIELD.of(metadata))


def number_asked_for(retriever: Any) -> int | None:
    """Returns the number of passages that a retriever is asked for, if it names one."""
    number = getattr(retriever, "k", None)
    return number if isinstance(number, int) else None


def plain_text(text: str) -> str:
    r"""Returns a text with single spaces and composed characters, for comparisons.

    Examples:
        >>> plain_text("| Hamburg |\n| EUR  155 |")
        '| Hamburg | | EUR 155 |'
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def _method(retriever: Any, *names: str) -> Any:
    for name in names:
        method = getattr(retriever, name, None)
        if callable(method):
            return method
    if callable(retriever):
        return retriever
    raise ConfigurationError(
        f"retriever must be a retriever of LangChain or LlamaIndex, or a function of the question, "
        f"got {type(retriever).__name__}."
    )
