"""Keeps what a search finds from LlamaIndex's events, spans and callbacks, until it is checked.

Guarantees:

- Inside ``untraced`` no handler is told of anything, however deep retrievers call each other, and
  OpenTelemetry's instrumentations record nothing.
- Other threads and tasks are traced in full at the same time, and so is what comes after.
- Tasks, and threads that are given the context, are silent as well where ``untraced`` starts them.

LlamaIndex can switch tracing off only for a whole process. So its ways to handlers, all of them
methods of its dispatcher and of its callback manager, are given a switch that holds for a context;
they do what they always did where it is not set.
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

from managed_sync.retrieval.instrumentation import uninstrumented

__all__ = ["untraced"]

_is_untraced: ContextVar[bool] = ContextVar("managed_sync_untraced", default=False)


@contextmanager
def untraced() -> Iterator[None]:
    """Runs what is inside without telling LlamaIndex's handlers, in this context only."""
    _install_switches()
    token = _is_untraced.set(True)
    try:
        with uninstrumented():
            yield
    except Exception as error:
        # A callback manager marks an error that it has told its handlers of, so that those around
        # it do not repeat it. Here no handler has heard of it yet.
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


# The ways to handlers, and what is done instead where nothing is to be traced.
_WAYS: list[tuple[type, str, Callable[..., Any]]] = [
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
    """Installs them where they are missing: somebody may have put the original methods back."""
    for owner, name, instead in _WAYS:
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
