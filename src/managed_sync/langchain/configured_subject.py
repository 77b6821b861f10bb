"""The subject in LangChain's config or LangGraph's runtime context, if it is the caller's.

A config reaches a retriever as an argument, or through the context of the chain or graph around it.
LangGraph keeps the ``context=`` of a graph's call in that config. Some of LangChain's components,
such as ``ContextualCompressionRetriever`` and ``MergerRetriever``, call a retriever with their
callbacks only. The subject in their own config is lost then, and the config of an outer graph would
take its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import var_child_runnable_config

from managed_sync.access.subject import UNSET, resolve_bound_subject

__all__ = ["subject_of_call"]

# Private in langgraph 0.6 to 1.2, whose get_runtime() does not take the config of a call.
_RUNTIME = "__pregel_runtime"


def subject_of_call(
    bound: str | None, argument: object = UNSET, config: RunnableConfig | None = None
) -> str:
    """Returns the subject of a call in LangChain or LangGraph.

    Args:
        bound: The only subject that the retriever retrieves for, if it is bound.
        argument: The argument of the call.
        config: The config of the call; by default the running one.

    Raises:
        MissingSubjectError: There is no subject.
        InvalidIdentifierError: The subject is not a user.
        ConfigurationError: The subjects contradict each other, or it is unclear which counts.
    """
    configurable = ensure_config(config).get("configurable", {})
    return resolve_bound_subject(
        bound,
        argument,
        configurable.get("subject", UNSET),
        _subject_in(getattr(configurable.get(_RUNTIME), "context", None)),
        is_certain=_is_certain(config),
    )


def _subject_in(context: object) -> object:
    """Returns the subject in a runtime context, which is a mapping or an object of any class."""
    if isinstance(context, Mapping):
        return context.get("subject", UNSET)
    return getattr(context, "subject", UNSET)


def _is_certain(config: RunnableConfig | None) -> bool:
    """Returns ``False`` if the caller's run is not that of the running config.

    Such a caller passes on its callbacks only.
    """
    if config is None or config.get("configurable") is not None:
        return True
    caller = _run_of(config)
    return caller is None or caller == _run_of(var_child_runnable_config.get())


def _run_of(config: RunnableConfig | None) -> UUID | None:
    callbacks = (config or {}).get("callbacks")
    return callbacks.parent_run_id if isinstance(callbacks, BaseCallbackManager) else None
