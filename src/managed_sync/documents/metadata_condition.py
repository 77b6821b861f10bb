"""A condition on metadata that every known store and the keyword index can apply alike.

It is a mapping of names to the values that a chunk must have, such as
``{"integration": "zendesk", "page": 2}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeGuard

__all__ = ["MetadataCondition", "is_metadata_condition", "joined", "meets"]

MetadataCondition: TypeAlias = Mapping[str, str | int]


def is_metadata_condition(value: object) -> TypeGuard[MetadataCondition]:
    """Returns whether a filter is a plain mapping of equal values.

    Stores differ in how they compare numbers with a fraction and truth values, so these are none.
    """
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(type(name) is str and not name.startswith("$") for name in value)
        and all(type(wanted) in {str, int} for wanted in value.values())
    )


def meets(metadata: Mapping[str, Any], condition: MetadataCondition) -> bool:
    """Returns whether metadata has these values, of the same types."""
    return all(
        type(found := metadata.get(name)) is type(wanted) and found == wanted
        for name, wanted in condition.items()
    )


def joined(conditions: Sequence[MetadataCondition]) -> MetadataCondition | None:
    """Returns one condition for several; ``None`` if nothing can meet all of them."""
    together: dict[str, str | int] = {}
    for condition in conditions:
        if not meets({**condition, **together}, condition):
            return None
        together |= condition
    return together
