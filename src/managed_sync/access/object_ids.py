"""The ids of source objects in the metadata of passages that any program wrote.

Guarantees:

- Metadata without a usable id name no object, so that nobody gets the passage: a field that is
  missing, holds something else than text, or lacks the prefix to cut, a function that raises or
  returns something else, and a text that is not a type and an id, such as ``"file:3f2a"``.
- The values that a filter looks for are exactly those from which the object's id is made.

See ``docs/decisions/0049-retrieval-object-ids.md``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from managed_sync.errors import ConfigurationError
from managed_sync.identifiers import ObjectId
from managed_sync.logs import get_logger

__all__ = [
    "OWN_FIELD",
    "ObjectIdField",
    "ObjectIdFunction",
    "ObjectIdSource",
    "ObjectIds",
    "can_be_asked_about",
    "object_ids_of",
]

_logger = get_logger(__name__)

_EXAMPLE = "An object's id looks like 'file:3f2a'."


def can_be_asked_about(object_id: Any) -> bool:
    """Returns whether a value found in a store can be the id of an object."""
    if not isinstance(object_id, str) or not object_id:
        return False
    try:
        object_id.encode()
    except UnicodeEncodeError:
        # One broken id in a store must not make the checks of all others fail.
        return False
    return True


@dataclass(frozen=True, slots=True)
class ObjectIdField:
    """The metadata field that holds the id of a passage's source object.

    Args:
        name: The name of the field.
        cut_prefix: The text that each value begins with and that is no part of the id. A passage
            whose value begins otherwise is never returned.
        add_prefix: The text to put before the rest.

    Raises:
        ConfigurationError: The name is empty, or something else than text is given.

    Examples:
        >>> field = ObjectIdField("source", cut_prefix="drive/", add_prefix="file:")
        >>> field.of({"source": "drive/3f2a"})
        'file:3f2a'
        >>> field.stored(["file:3f2a"])
        ['drive/3f2a']
    """

    name: str = "object_id"
    cut_prefix: str = ""
    add_prefix: str = ""

    def __post_init__(self) -> None:
        texts = (self.name, self.cut_prefix, self.add_prefix)
        if not all(isinstance(text, str) for text in texts) or not self.name:
            raise ConfigurationError(
                f"An ObjectIdField needs the name of a metadata field such as 'doc_id', and texts "
                f"as prefixes, got {', '.join(map(repr, texts))}."
            )

    def of(self, metadata: Mapping[str, Any]) -> str | None:
        """Returns the id of the object; ``None`` if there is none that can be checked."""
        value = metadata.get(self.name)
        if not isinstance(value, str) or not value.startswith(self.cut_prefix):
            return None
        rest = value[len(self.cut_prefix) :]
        return _checkable(self.add_prefix + rest) if rest else None

    def stored(self, object_ids: Iterable[str]) -> list[str]:
        """Returns the values of the field for these objects.

        Objects whose ids cannot be made from a value are left out.
        """
        start = len(self.add_prefix)
        return [
            self.cut_prefix + object_id[start:]
            for object_id in object_ids
            if object_id.startswith(self.add_prefix)
            and object_id != self.add_prefix
            and ObjectId.is_one(object_id)
        ]

    @property
    def description(self) -> str:
        """The field and its prefixes, for messages; it holds nothing of any passage."""
        return repr(self if self.cut_prefix or self.add_prefix else self.name)

    @property
    def advice(self) -> str:
        """The remedy for a field that leads to no ids, for messages."""
        if self.add_prefix:
            return _EXAMPLE
        cut = f"cut_prefix={self.cut_prefix!r}, " if self.cut_prefix else ""
        return (
            f"{_EXAMPLE} For a field of record ids pass "
            f"object_id=ObjectIdField({self.name!r}, {cut}add_prefix='file:')."
        )


class ObjectIdFunction:
    """A function of the caller's that finds the id of a passage's object in its metadata.

    Args:
        function: Returns the id, or ``None`` for a passage without an object.
    """

    description = "a function"
    advice = _EXAMPLE

    def __init__(self, function: Callable[[Mapping[str, Any]], str | None]) -> None:
        self._function = function
        self._failures: set[str] = set()

    def of(self, metadata: Mapping[str, Any]) -> str | None:
        """Returns the id of the object; ``None`` if there is none that can be checked."""
        try:
            object_id = self._function(MappingProxyType(_copied(metadata)))
        except Exception as error:  # noqa: BLE001 - one odd passage must not cost the others
            self._warn_of(type(error).__name__)
            return None
        return _checkable(object_id)

    def _warn_of(self, failure: str) -> None:
        # The message of the error may hold metadata of passages that the user may not read.
        if failure not in self._failures:
            self._failures.add(failure)
            _logger.warning(
                "The function object_id raised %s for the metadata of a passage, so the passage "
                "has no object and is not returned. Let the function return None if that is "
                "intended. Later failures of this kind are not logged.",
                failure,
            )


def _checkable(value: Any) -> str | None:
    """Returns a value made of a passage's metadata if it has the form of an object's id."""
    if not can_be_asked_about(value) or not ObjectId.is_one(value):
        return None
    # A subclass of ``str`` may compare in a way of its own.
    return str.__str__(value)


def _copied(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Returns metadata in which a function can change nothing that the store holds."""
    return {
        name: deepcopy(value) if isinstance(value, dict | list | set) else value
        for name, value in metadata.items()
    }


ObjectIds: TypeAlias = ObjectIdField | ObjectIdFunction
ObjectIdSource: TypeAlias = str | ObjectIdField | Callable[[Mapping[str, Any]], str | None]

# The field that this package writes.
OWN_FIELD = ObjectIdField()


def object_ids_of(source: ObjectIdSource) -> ObjectIds:
    """Returns the way to find an object's id for the argument ``object_id``.

    Raises:
        ConfigurationError: It names no field and is no function.
    """
    if isinstance(source, ObjectIdField | ObjectIdFunction):
        return source
    if isinstance(source, str):
        return ObjectIdField(source)
    is_async = inspect.iscoroutinefunction(source) or inspect.iscoroutinefunction(
        getattr(source, "__call__", None)  # noqa: B004 - the method of an object
    )
    if callable(source) and not is_async:
        return ObjectIdFunction(source)
    raise ConfigurationError(
        f"object_id must be the name of a metadata field such as 'doc_id', an ObjectIdField, or a "
        f"function of the metadata that is not async, got {type(source).__name__}."
    )
