"""The arguments that a LangChain vector store's search takes; all others are refused by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping

from langchain_core.vectorstores import VectorStore

from managed_sync.errors import ConfigurationError
from managed_sync.langchain.stores.base import LangChainAdapter

__all__ = ["refuse_unknown_arguments", "search_parameters"]

# The arguments of LangChain's retrievers that belong to one kind of search.
_OF_SEARCH_TYPES = {
    "fetch_k": "mmr",
    "lambda_mult": "mmr",
    "score_threshold": "similarity_score_threshold",
}
_NO_OPTIONS = frozenset({"self", "query", "embedding", "uri", "k"})


def search_parameters(kind: type[VectorStore]) -> Mapping[str, inspect.Parameter]:
    """Returns the parameters of a store's search, with scores if it has one."""
    has_scores = kind.similarity_search_with_score is not VectorStore.similarity_search_with_score
    search = kind.similarity_search_with_score if has_scores else kind.similarity_search
    return inspect.signature(search).parameters


def refuse_unknown_arguments(
    adapter: LangChainAdapter, kind: type[VectorStore], names: Iterable[str]
) -> None:
    """Refuses arguments that the store's search would ignore.

    A store that this package does not know may have arguments that its signature does not show, if
    it takes any.

    Raises:
        ConfigurationError: There is one.
    """
    parameters = search_parameters(kind)
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    if takes_any and not (adapter.is_known and adapter.is_original):
        return
    known = _named_by(kind) | adapter.further_arguments if adapter.is_known else _named(parameters)
    unknown = sorted(set(names) - known)
    if not unknown:
        return
    advice = [
        f"{name} is for search_type={_OF_SEARCH_TYPES[name]!r}."
        for name in unknown
        if name in _OF_SEARCH_TYPES
    ]
    raise ConfigurationError(
        f"search_kwargs {', '.join(unknown)} would be ignored: the search of {kind.__name__} takes "
        f"{', '.join(sorted(known - _NO_OPTIONS)) or 'no arguments'}. {' '.join(advice)}".rstrip()
    )


def _named_by(kind: type[VectorStore]) -> set[str]:
    """Returns the parameters of all searches of a store: some pass theirs on to others."""
    searches = (getattr(kind, name) for name in dir(kind) if "similarity_search" in name)
    return {name for search in searches for name in _named(inspect.signature(search).parameters)}


def _named(parameters: Mapping[str, inspect.Parameter]) -> set[str]:
    """Returns the parameters that can be passed by name."""
    unnamed = {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    return {name for name, each in parameters.items() if each.kind not in unnamed}
