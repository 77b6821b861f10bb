"""The subject in LangChain's config, and whether it is certain to be the caller's.

A config reaches a retriever as an argument, or through the context of the chain or graph around it.
Some of LangChain's components, such as ``ContextualCompressionRetriever`` and ``MergerRetriever``,
call a retriever with their callbacks only. The subject in their own config is lost then, and the
config of an outer graph would take its place.
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

    The config is the call's, or else the running one; without a subject, the result is ``UNSET``.
    The subject is not certain if the caller's run is another one than the running config's, and
    passes on its callbacks only.
    """
    subject: object = ensure_config(config).get("configurable", {}).get("subject", UNSET)
    if isinstance(subject, Unset) or config is None or config.get("configurable") is not None:
        return subject, True
    caller = _run_of(config)
    return subject, caller is None or caller == _run_of(var_child_runnable_config.get())


def _run_of(config: RunnableConfig | None) -> UUID | None:
    callbacks = (config or {}).get("callbacks")
    return callbacks.parent_run_id if isinstance(callbacks, BaseCallbackManager) else None
