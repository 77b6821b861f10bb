"""Hides the results of a search from LlamaIndex's events, spans and callbacks.

They stay hidden until they are checked.

Guarantees:

- Inside ``untraced`` no handler is called, however deep retrievers call each other, and
  OpenTelemetry's instrumentations record nothing.
- Other threads and tasks are traced in full at the same time, and so is everything afterwards.
- Tasks that are started inside, and threads that get the context, are silent as well.

LlamaIndex can switch tracing off only for a whole process. So each method of its dispatcher and its
callback manager that calls handlers gets a switch that holds for one context. Where the switch is
off, the method works as before.

See ``docs/decisions/0018-retrieval-traces.md``.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from llama_index.core.callbacks import CallbackManager
from llama_index_instrumentation.dispatcher import Dispatcher

from managed_sync.retrieval.instrumentation import suppression

__all__ = ["untraced"]

_is_untraced: ContextVar[bool] = ContextVar("managed_sync_untraced", default=False)


@contextmanager
def untraced() -> Iterator[None]:
    """Runs the code inside without calling LlamaIndex's handlers, in this context only."""
    _install_switches()
    token = _is_untraced.set(True)
    try:
        with suppression()():
            yield
    except Exception as error:
        # A callback manager marks an error that its handlers have seen, so that those around it do
        # not repeat it. Here no handler has seen it yet.
        vars(error).pop("event_added", None)
        raise
    finally:
        _is_untraced.reset(token)


def _nothing(*_: Any, **__: Any) -> None:
    pass


async def _nothing_to_await(*_: Any, **__: Any) -> None:
    pass


def _id_of_event(
    _: CallbackManager, event_type: Any, payload: Any = None, event_id: str | None = None, **__: Any
) -> str:
    return event_id or str(uuid.uuid4())


# The methods that call handlers, and their replacements where nothing is traced.
_METHODS: list[tuple[type, str, Callable[..., Any]]] = [
    (Dispatcher, "event", _nothing),
    (Dispatcher, "aevent", _nothing_to_await),
    (Dispatcher, "span_enter", _nothing),
    (Dispatcher, "span_exit", _nothing),
    (Dispatcher, "span_drop", _nothing),
    (CallbackManager, "on_event_start", _id_of_event),
    (CallbackManager, "on_event_end", _nothing),
    (CallbackManager, "start_trace", _nothing),
    (CallbackManager, "end_trace", _nothing),
]
_SWITCHED = "__managed_sync_switched__"


def _install_switches() -> None:
    """Installs missing switches: other code may have put the original methods back."""
    for owner, name, instead in _METHODS:
        # Early versions of the dispatcher have no "aevent".
        method = getattr(owner, name, None)
        if method is not None and not hasattr(method, _SWITCHED):
            setattr(owner, name, _switched(method, instead))


def _switched(method: Callable[..., Any], instead: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def switched(*args: Any, **kwargs: Any) -> Any:
        return instead(*args, **kwargs) if _is_untraced.get() else method(*args, **kwargs)

    setattr(switched, _SWITCHED, True)
    return switched
