"""The interface of a filter that confines a vector store's search to some objects.

An object filter narrows a search; it grants nothing. Whatever the store returns is checked again,
so a filter that is ignored, wrong or out of date costs time and never shows a passage.

See ``docs/decisions/0013-stores-object-filters.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = ["CustomObjectFilter", "ObjectFilter", "ids_for_one_search"]

# No object has this id; it replaces an empty list, which a store would read as "no filter".
_NO_OBJECT = ""


@runtime_checkable
class ObjectFilter(Protocol):
    """A filter of one vector store on the objects of its chunks."""

    @property
    def max_objects(self) -> int | None:
        """The number of object ids that fit into one search; ``None`` if no limit is known."""

    @property
    def exact(self) -> bool:
        """``True`` if fewer hits than asked for prove that the store holds no more of the objects.

        That takes a store that filters before it searches, and searches exhaustively.
        """

    def search_kwargs(self, object_ids: Sequence[str], /) -> dict[str, Any]:
        """Returns keyword arguments that confine the store's search to these objects.

        The number of hits is passed separately. No ids means no hits, never all of them.
        """


@dataclass(frozen=True, slots=True)
class CustomObjectFilter:
    """An object filter for a store that this package does not know.

    Args:
        search_kwargs: Turns object ids into keyword arguments of the store's search.
        max_objects: The number of object ids that fit into one search; ``None`` for any number.
        exact: Whether the store filters first and then searches exhaustively, and searches
            exhaustively without the filter too. If in doubt, leave it ``False``: no result is
            called complete then.

    Examples:
        >>> by_object = CustomObjectFilter(lambda ids: {"expr": f"object_id in {list(ids)}"})
        >>> by_object.search_kwargs(["file:1", "file:2"])
        {'expr': "object_id in ['file:1', 'file:2']"}
    """

    search_kwargs: Callable[[Sequence[str]], dict[str, Any]]
    max_objects: int | None = None
    exact: bool = False


def ids_for_one_search(object_ids: Sequence[str], max_objects: int | None) -> list[str]:
    """Returns the ids for a store's filter: distinct, and never an empty list.

    Raises:
        ValueError: There are more ids than fit into one search.
    """
    distinct = list(dict.fromkeys(object_ids))
    if max_objects is not None and len(distinct) > max_objects:
        raise ValueError(
            f"One search of this store takes at most {max_objects} object ids, got {len(distinct)}."
        )
    return distinct or [_NO_OBJECT]
