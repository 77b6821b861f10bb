"""Binding to one subject.

Guarantees:

- A retriever, filter or tool that is bound to a subject stays bound to it, in every copy.
- A copy shares the checker and the store with its original: they hold connections and credentials,
  which are neither copied nor pickled.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NoReturn, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from managed_sync.access.subject import bound_to
from managed_sync.arguments import check_names

__all__ = ["Bindable", "NotPickled", "Shared"]


class Shared:
    """An object whose deep copies share its checker and its store."""

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return copy.copy(self)


class NotPickled(Shared):
    """A shared object that refuses to be pickled."""

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"A {type(self).__name__} cannot be pickled, because its checker holds credentials. "
            f"Make a new one in the other process."
        )


class Bindable(Shared, BaseModel):
    """A model that can be bound to one subject."""

    bound_subject: str | None = Field(default=None, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_unknown_arguments(cls, values: Any) -> Any:
        if cls.model_config.get("extra") == "forbid" and isinstance(values, Mapping):
            check_names(cls.__name__, values, cls.model_fields)
        return values

    @field_validator("bound_subject", mode="before")
    @classmethod
    def _bound(cls, value: Any) -> str | None:
        return None if value is None else bound_to(value, None)

    def for_subject(self, subject: str) -> Self:
        """Returns a copy bound to one user, for code that cannot name the user itself.

        Raises:
            MissingSubjectError: ``subject`` is empty.
            ConfigurationError: It is bound to another subject.
        """
        return self.model_copy(update={"bound_subject": subject})

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Returns a copy with the same checker, bound as the original is."""
        changes = dict(update or {})
        if "bound_subject" in changes:
            changes["bound_subject"] = bound_to(changes["bound_subject"], self.bound_subject)
        return super().model_copy(update=changes)

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:  # type: ignore[override]
        """Returns ``model_copy(...)``, of which this is pydantic's older name."""
        return self.model_copy(update=update, deep=deep)
