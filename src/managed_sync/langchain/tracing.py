"""Hides the results of a search from LangChain's callbacks and tracers until they are checked.

Guarantees:

- Inside ``untraced`` the callbacks of the call around it, tracers that are switched on for all that
  runs, LangSmith, OpenTelemetry's instrumentations, and LangChain's debugging output see nothing,
  however deep runnables call each other.
- The rest of the context stays as it is: the config's other values, and the caller's variables.
- Other threads and tasks are traced in full at the same time, and so is everything afterwards.
- Tasks that are started inside, and threads that get the context, are silent as well.

See ``docs/decisions/0018-retrieval-traces.md``.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from langchain_core.callbacks import (
    AsyncCallbackManagerForRetrieverRun,
    BaseCallbackHandler,
    CallbackManager,
    CallbackManagerForRetrieverRun,
    StdOutCallbackHandler,
)
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers.stdout import ConsoleCallbackHandler

from managed_sync.retrieval.instrumentation import suppression

__all__ = ["untraced", "untraced_run"]

Run = TypeVar("Run", CallbackManagerForRetrieverRun, AsyncCallbackManagerForRetrieverRun)


class _Silent(BaseCallbackHandler):
    """Listens to nothing."""

    ignore_llm = ignore_chat_model = ignore_retry = True
    ignore_chain = ignore_agent = ignore_retriever = ignore_custom_event = True

    def on_text(self, text: str, *_: Any, **__: Any) -> None:
        """Called in spite of all the above."""


# For ``set_debug`` and ``set_verbose`` LangChain adds a handler unless there is one of its kind.
class _SilentConsole(_Silent, ConsoleCallbackHandler):
    pass


class _SilentStdOut(_Silent, StdOutCallbackHandler):
    pass


_SILENT = (_SilentConsole(), _SilentStdOut())


@contextmanager
def untraced() -> Iterator[None]:
    """Runs the code inside without calling any handler, in this context only."""
    # These import all of LangSmith's client, which LangChain also leaves to the first run.
    from langchain_core.tracers.context import (  # noqa: PLC0415
        _configure_hooks,
        tracing_v2_callback_var,
    )
    from langsmith import tracing_context  # noqa: PLC0415

    # Code inside may dispatch events of its own, for which it needs a run around it.
    callbacks = CallbackManager([*_SILENT], [*_SILENT], parent_run_id=uuid.uuid4())
    around: RunnableConfig = var_child_runnable_config.get() or {}
    silenced: list[tuple[ContextVar[Any], Any]] = [
        (var_child_runnable_config, {**around, "callbacks": callbacks}),
        (tracing_v2_callback_var, None),
    ]
    # Where a variable of the environment asks for a handler, LangChain makes one if there is none.
    silenced += [
        (variable, _SILENT[0] if environment_variable else None)
        for variable, _, _, environment_variable in _configure_hooks
    ]
    with ExitStack() as stack:
        for variable, value in silenced:
            stack.callback(variable.reset, variable.set(value))
        stack.enter_context(tracing_context(enabled=False))
        stack.enter_context(suppression()())
        yield


def untraced_run(kind: type[Run]) -> Run:
    """Returns the run of a retriever, with callbacks that call no handler."""
    return kind(run_id=uuid.uuid4(), handlers=[], inheritable_handlers=[*_SILENT])
