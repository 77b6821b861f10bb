"""What a vector store must say about itself so that a search can be confined to some objects.

An object filter narrows a search; it grants nothing. Whatever the store returns is checked again,
so a filter that is ignored, wrong or out of date costs time and never shows a passage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = ["CustomObjectFilter", "ObjectFilter", "ids_for_one_search"]

# No object has this id, so it stands where a store would read an empty list as "no filter".
_NO_OBJECT = ""


@runtime_checkable
class ObjectFilter(Protocol):
    """How to search one vector store among the chunks of given objects only."""

    @property
    def max_objects(self) -> int | None:
        """How many object ids fit into one search; ``None``: no limit is known."""

    @property
    def exact(self) -> bool:
        """Whether fewer hits than asked for prove that the store holds no more of the objects.

        ``True`` only where the store filters before it searches, and searches exhaustively.
        """

    def search_kwargs(self, object_ids: Sequence[str], /) -> dict[str, Any]:
        """Keyword arguments that confine the store's search to these objects.

        How many hits are wanted is passed beside them. No ids means no hits, never all of them.
        """


@dataclass(frozen=True, slots=True)
class CustomObjectFilter:
    """An object filter for a store that this package does not know.

    Args:
        search_kwargs: From object ids to keyword arguments of the store's search.
        max_objects: How many object ids fit into one search; ``None``: any number.
        exact: Whether the store filters first and then searches exhaustively, and searches
            exhaustively without the filter too. If in doubt, leave it: no result is then called
            complete.

    Examples:
        >>> by_object = CustomObjectFilter(lambda ids: {"expr": f"object_id in {list(ids)}"})
        >>> by_object.search_kwargs(["file:1", "file:2"])
        {'expr': "object_id in ['file:1', 'file:2']"}
    """

    search_kwargs: Callable[[Sequence[str]], dict[str, Any]]
    max_objects: int | None = None
    exact: bool = False


def ids_for_one_search(object_ids: Sequence[str], max_objects: int | None) -> list[str]:
    """What to put into a store's filter: distinct ids, and never an empty list.

    Raises:
        ValueError: There are more ids than fit into one search.
    """
    distinct = list(dict.fromkeys(object_ids))
    if max_objects is not None and len(distinct) > max_objects:
        raise ValueError(
            f"{len(distinct)} object ids do not fit into one search; this store takes at most "
            f"{max_objects} at a time."
        )
    return distinct or [_NO_OBJECT]
