"""The subject that LangChain's running config names, and how far it can be relied on.

A config reaches a retriever as an argument, or by the context of the chain or graph around it.
Some of LangChain's components, such as ``ContextualCompressionRetriever`` and ``MergerRetriever``,
call a retriever with their callbacks alone. Whatever subject their own config names is lost, and
the config of a graph further out would take its place.
"""

from __future__ import annotations

from uuid import UUID

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import var_child_runnable_config

from managed_sync.access.subject import UNSET, Unset

__all__ = ["configured_subject"]


def configured_subject(config: RunnableConfig | None = None) -> tuple[object, bool]:
    """Returns the subject that a config names, and whether it is certain to be the caller's.

    It is the config of the call, or else the running one. Without a subject it is ``UNSET``. It is
    not certain where another run than the running config's passes on callbacks and no more.
    """
    subject: object = ensure_config(config).get("configurable", {}).get("subject", UNSET)
    if isinstance(subject, Unset) or config is None or config.get("configurable") is not None:
        return subject, True
    caller = _run_of(config)
    return subject, caller is None or caller == _run_of(var_child_runnable_config.get())


def _run_of(config: RunnableConfig | None) -> UUID | None:
    callbacks = (config or {}).get("callbacks")
    return callbacks.parent_run_id if isinstance(callbacks, BaseCallbackManager) else None
