"""Resolves the subject of a retrieval.

Guarantees:

- The subject comes from code only: ``for_subject``, an argument, a framework's config or runtime
  context, or ``acting_as``. It is never read from a question, a document, or the output of a model.
- Without a subject, or with an empty one, a retrieval raises.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Final, ParamSpec, TypeVar

from managed_sync.access.acting_blocks import Block, named_around, surrounding_block
from managed_sync.errors import ConfigurationError, InvalidIdentifierError, MissingSubjectError
from managed_sync.identifiers import normalize_subject

__all__ = [
    "UNSET",
    "ActingAs",
    "Unset",
    "acting_as",
    "bound_to",
    "resolve_bound_subject",
    "resolve_subject",
]

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_GROUP: Final = "group:"


class Unset:
    """The type of ``UNSET``: no argument was passed, which is not the same as ``None``."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()


def acting_as(subject: str) -> ActingAs:
    """Makes everything inside a ``with`` block retrieve for ``subject``.

    The block counts for the code inside it, for the tasks that are started inside, and for threads
    that are given the context, such as LangChain's and asyncio's. Elsewhere a retrieval raises.

    A generator that yields inside the block keeps its subject to itself: its own calls retrieve for
    that subject, and its reader's do not. Tasks and threads that such a generator starts have no
    subject; use ``for_subject`` or a config for them.

    Raises:
        MissingSubjectError: ``subject`` is ``None`` or blank.
        InvalidIdentifierError: ``subject`` is not a user.

    Examples:
        >>> with acting_as("alice@example.com") as subject:
        ...     print(subject)
        alice@example.com
    """
    return ActingAs(subject)


class ActingAs:
    """A block of code for one subject; ``acting_as`` makes one. It can be entered once.

    As a decorator, it puts each call of an ordinary function into a block of its own.
    """

    def __init__(self, subject: str) -> None:
        self._subject = _checked(subject)
        self._block: Block | None = None

    def __enter__(self) -> str:
        """Begins the block.

        Raises:
            ConfigurationError: It was begun before.
        """
        if self._block is not None:
            raise ConfigurationError(
                "Each block needs an acting_as() of its own: call it again in the 'with' statement."
            )
        self._block = Block(self._subject, sys._getframe(1))
        return self._subject

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Ends the block.

        Raises:
            ConfigurationError: A block that was entered inside has not ended. An error that ends
                this block goes before; a note is added to it.
        """
        if self._block is None:
            raise ConfigurationError("This block of acting_as() was not begun.")
        if self._block.close():
            return
        message = (
            "A block of acting_as() ended before one that was entered inside it, as it happens "
            "where generators yield inside such blocks. Use for_subject() in generators."
        )
        if error is None or isinstance(error, GeneratorExit):
            raise ConfigurationError(message)
        error.add_note(message)

    def __call__(self, function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        """Makes a function whose calls are blocks for the subject.

        Raises:
            ConfigurationError: The function's work happens after its call has returned.
        """
        if (
            inspect.iscoroutinefunction(function)
            or inspect.isgeneratorfunction(function)
            or inspect.isasyncgenfunction(function)
        ):
            raise ConfigurationError(
                "acting_as() cannot decorate a generator or a coroutine function, whose code runs "
                "after the call has returned; use a 'with' statement inside it."
            )

        @functools.wraps(function)
        def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            with acting_as(self._subject):
                return function(*args, **kwargs)

        return call


def resolve_subject(*candidates: object) -> str:
    """Returns the first candidate that is set, else the subject of ``acting_as``.

    A candidate of ``None`` or blank text is an identity that was lost on the way: it raises, and
    no later candidate takes its place.

    Raises:
        MissingSubjectError: There is no subject.
        InvalidIdentifierError: The subject is not a user.
        ConfigurationError: It is unclear which block of ``acting_as`` is around the call.
    """
    for candidate in candidates:
        if not isinstance(candidate, Unset):
            return _checked(candidate)
    block = surrounding_block()
    return _checked(None if block is None else block.subject)


def resolve_bound_subject(
    bound: str | None,
    argument: object = UNSET,
    configured: object = UNSET,
    in_context: object = UNSET,
    *,
    is_certain: bool = True,
) -> str:
    """Returns the subject of a retrieval. Every way to retrieve comes through here.

    The bound subject counts, else the argument, else the one of the config or the runtime context,
    else that of ``acting_as``.

    Args:
        bound: The only subject that the retriever retrieves for, if it is bound.
        argument: The argument of the call.
        configured: The subject of the running config. A config and ``acting_as`` both surround a
            call, and nothing tells which of them is nearer, so they must not differ.
        in_context: The subject of LangGraph's runtime context, to which the same applies. An inner
            graph may get one of the two from the graph around it, so they must not differ either.
        is_certain: Whether the running config is the one that the call was made with. If not, the
            config's subject counts only where ``acting_as`` names it too.

    Raises:
        MissingSubjectError: There is no subject.
        InvalidIdentifierError: The subject is not a user.
        ConfigurationError: The subjects contradict each other, or it is unclear which counts.
    """
    if bound is not None:
        return _reconcile_subject(_checked(bound), argument, configured, in_context)
    if not isinstance(argument, Unset):
        return _checked(argument)
    around = [_checked(one) for one in (configured, in_context) if not isinstance(one, Unset)]
    if not around:
        return resolve_subject()
    subject = around[0]
    if len(set(around)) > 1:
        raise ConfigurationError(
            "The running config names one subject and LangGraph's runtime context another. Name "
            "only one, or use for_subject()."
        )
    if named_around() - {subject}:
        raise ConfigurationError(
            "The running config names one subject and acting_as() another. Name only one, or use "
            "for_subject()."
        )
    if not is_certain and surrounding_block() is None:
        raise ConfigurationError(
            "A LangChain component between this retriever and the running config does not pass "
            "its config on, so that config may have named another subject. Use for_subject(), or "
            "call the component inside acting_as()."
        )
    return subject


def bound_to(subject: str, bound: str | None) -> str:
    """Returns the subject for a copy of a retriever that is to be bound to it.

    Raises:
        MissingSubjectError: ``subject`` is ``None`` or blank.
        InvalidIdentifierError: ``subject`` is not a user.
        ConfigurationError: The retriever is bound to another subject.
    """
    checked = _checked(subject)
    return checked if bound is None else _reconcile_subject(_checked(bound), checked)


def _reconcile_subject(bound: str, *others: object) -> str:
    for other in others:
        if not isinstance(other, Unset) and _checked(other) != bound:
            raise ConfigurationError(
                "This retriever is bound to one subject by for_subject(), and another was named. "
                "Use the retriever that it was made from."
            )
    return bound


def _checked(value: object) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise MissingSubjectError
    if isinstance(value, Unset):
        raise InvalidIdentifierError("UNSET is not a subject.")
    subject = normalize_subject(value)
    if subject.casefold().startswith(_GROUP):
        raise InvalidIdentifierError(
            f"The subject of a retrieval must be one user, such as 'alice@example.com', got the "
            f"group {subject!r}."
        )
    return subject
