"""For whom to retrieve.

The subject comes from code only: an argument, a framework's config, or ``acting_as``. It is never
read from a question, a document, or what a model wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from managed_sync.errors import ConfigurationError, InvalidIdentifierError, MissingSubjectError
from managed_sync.identifiers import normalize_subject

__all__ = [
    "UNSET",
    "Unset",
    "acting_as",
    "agreed_subject",
    "resolve_bound_subject",
    "resolve_subject",
]


class Unset:
    """The type of ``UNSET``: nothing was said, which is not the same as saying ``None``."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset()

_acting_as: ContextVar[str | None] = ContextVar("managed_sync_subject", default=None)


@contextmanager
def acting_as(subject: str) -> Iterator[str]:
    """Makes ``subject`` the one for whom everything inside retrieves.

    It holds for the thread or task that enters it and for the tasks started inside. Threads
    started inside see it where their pool copies the context, as LangChain's and asyncio's do;
    elsewhere a retrieval raises ``MissingSubjectError`` rather than guess.

    Raises:
        MissingSubjectError: ``subject`` is ``None`` or blank.
        InvalidIdentifierError: ``subject`` is not one.

    Examples:
        >>> with acting_as("alice@example.com") as subject:
        ...     print(subject)
        alice@example.com
    """
    resolved = _checked(subject)
    token = _acting_as.set(resolved)
    try:
        yield resolved
    finally:
        _acting_as.reset(token)


def resolve_subject(*candidates: object) -> str:
    """The first candidate that was said, else the one of ``acting_as``.

    A candidate of ``None`` or blank text is an identity that was lost on the way: it raises, and
    no later candidate takes its place.

    Raises:
        MissingSubjectError: Nobody said for whom.
        InvalidIdentifierError: What was said is not a subject.
    """
    for candidate in candidates:
        if not isinstance(candidate, Unset):
            return _checked(candidate)
    return _checked(_acting_as.get())


def resolve_bound_subject(bound: str | None, said: object = UNSET) -> str:
    """The subject a retriever is bound to, which nothing that is said later can change.

    Args:
        bound: The subject that the retriever was made for, if any.
        said: What this call says.

    Raises:
        MissingSubjectError: Neither says for whom.
        ConfigurationError: The call says another subject than the retriever is bound to.
    """
    if bound is None:
        return resolve_subject(said)
    bound = _checked(bound)
    if not isinstance(said, Unset) and resolve_subject(said) != bound:
        raise ConfigurationError(
            "This retriever is bound to one subject by for_subject() and was asked to retrieve "
            "for another; use the retriever that it was made from."
        )
    return bound


def agreed_subject(configured: object) -> object:
    """What a running config says, unless ``acting_as`` says another.

    Both surround a call, and nothing says which of them is nearer: where they differ, choosing
    one could show a user what only the other may read.

    Args:
        configured: The config's subject, or ``UNSET``; it is handed back.

    Raises:
        ConfigurationError: Both name a subject, and not the same.
    """
    surrounding = _acting_as.get()
    if isinstance(configured, Unset) or surrounding is None:
        return configured
    if resolve_subject(configured) != surrounding:
        raise ConfigurationError(
            "The running config names one subject and acting_as another; say only one, or use "
            "for_subject()."
        )
    return configured


def _checked(value: object) -> str:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise MissingSubjectError
    if isinstance(value, Unset):
        raise InvalidIdentifierError("UNSET is not a subject.")
    return normalize_subject(value)
