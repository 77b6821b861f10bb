"""The base of all store adapters, and of the searches that use them.

Each framework has one adapter class per store and picks it by the class of the store. To support
another store, write a subclass in a module of its own in the framework's ``stores`` folder, and add
it to the registry there.

Guarantees:

- An unknown store, and a subclass that overrides a search, is never called exhaustive, and its
  chunks are not counted. So none of its results is called complete, unless the caller's own filter
  vouches for it (``CustomObjectFilter(exact=True)``).
- A filter on object ids never becomes an empty one, which a store could read as "no filter".
"""

from __future__ import annotations

import copy
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from keyword import iskeyword
from typing import Any, ClassVar, Self, TypeVar

from managed_sync.access.object_ids import (
    OWN_FIELD,
    ObjectIdField,
    ObjectIds,
    can_be_asked_about,
)
from managed_sync.documents.metadata_condition import MetadataCondition, is_metadata_condition
from managed_sync.documents.vectors import LONGEST_VECTOR
from managed_sync.errors import ConfigurationError, EmbeddingError
from managed_sync.indexing.targets.base import StoredChunk
from managed_sync.retrieval.effects import Inspect, Reach, Search
from managed_sync.retrieval.object_filter import ObjectFilter, ids_for_one_search

__all__ = [
    "AT_LEAST_THE_LIMIT",
    "FilterableSearch",
    "NotFilterableError",
    "StoreAdapter",
    "checked_question",
    "matching_adapter",
]

# Arguments of stores' searches that must not be below the number of hits: how many candidates
# Elasticsearch, Milvus and FAISS look at. A wider search needs more of them.
AT_LEAST_THE_LIMIT = frozenset({"ef", "fetch_k", "num_candidates"})
# Arguments that hold such arguments.
_WITH_ARGUMENTS = frozenset({"param", "params", "search_params", "vector_store_kwargs"})


class NotFilterableError(ConfigurationError):
    """The store's own settings keep it from filtering by a metadata field."""


class StoreAdapter:
    """A vector store as this package sees it; this class itself stands for an unknown store.

    An adapter of a known store is also its ``ObjectFilter``.

    Args:
        store: The vector store.
        is_original: Whether its class searches as the known one does, and overrides nothing.

    Attributes:
        classes: The known store's classes, each as a package and the name of the class.
        max_objects: The number of object ids that fit into one search.
        filter_argument: The argument of a search that takes a filter.
        harmless: The caller's arguments with which an exhaustive search stays exhaustive.
        can_update_metadata: Whether metadata can be changed without embedding.
        replaces_by_id: Whether a write replaces the chunk of the same id, all or nothing.
        object_ids: Finds the id of a chunk's object in its metadata.
    """

    classes: ClassVar[Collection[tuple[str, str]]] = ()
    max_objects: ClassVar[int | None] = 10_000
    filter_argument: ClassVar[str] = "filter"
    harmless: ClassVar[Collection[str]] = ()
    can_update_metadata: ClassVar[bool] = False
    replaces_by_id: ClassVar[bool] = False

    def __init__(self, store: Any, *, is_original: bool = False) -> None:
        self._store = store
        self.is_original = is_original
        self.object_ids: ObjectIds = OWN_FIELD

    @property
    def is_known(self) -> bool:
        """Returns whether the store is a known one, whose filter can be used."""
        return bool(self.classes)

    @property
    def store_name(self) -> str:
        """Returns the name of the store's class."""
        return type(self._store).__name__

    # Searching

    @property
    def exact(self) -> bool:
        """Returns whether a search among some objects is exhaustive; see ``ObjectFilter``."""
        return False

    def search_kwargs(self, object_ids: Sequence[str], /) -> dict[str, Any]:
        """Returns arguments of a search that confine it to these objects.

        Raises:
            NotFilterableError: The store turns out not to filter by their ids.
        """
        values = self._object_field.stored(object_ids)
        return self._confined_to(ids_for_one_search(values, self.max_objects))

    @property
    def can_confine(self) -> bool:
        """Returns whether the store can filter by the objects' ids as its chunks name them."""
        field = self.object_ids
        return self.is_known and isinstance(field, ObjectIdField) and self._takes_name(field.name)

    def completed(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the caller's arguments, with those that a filter among them needs to be exact."""
        return dict(own)

    def ready(self, arguments: Mapping[str, Any], limit: int) -> dict[str, Any]:
        """Returns the arguments of a search, with those that it needs to return so many hits."""
        return dict(arguments)

    def filter_of(self, own: object) -> Any:
        """Returns the caller's filter in the store's language, which it may be in already."""
        return self._equal_to(own) if self.is_known and is_metadata_condition(own) else own

    def combined(self, own: Mapping[str, Any], further: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the arguments of a search that both confine; ``None`` if the store cannot."""
        together = {name: value for name, value in own.items() if value is not None}
        for name, value in further.items():
            both = value if name not in together else self._both(name, together[name], value)
            if both is None:
                return None
            together[name] = both
        return {**own, **together}

    def reach(self, step: Inspect, own: Mapping[str, Any]) -> Reach:
        """Returns how far searches with the caller's arguments reach."""
        if not self.is_original:
            # A subclass may keep chunks elsewhere.
            return Reach()
        confined = step.objects is not None
        exhaustive = own.keys() <= set(self.harmless) and self._is_exhaustive(own, confined)
        if not step.count or (exhaustive and confined):
            return Reach(exhaustive)
        if step.objects is None:
            return Reach(exhaustive, self.chunk_count())
        if not self.can_confine:
            return Reach()
        values = self._object_field.stored(step.objects)
        return Reach(exhaustive, self.chunk_count(ids_for_one_search(values, None)))

    def chunk_count(self, object_ids: list[str] | None = None) -> int | None:
        """Returns the number of chunks, of all objects or of those that the store names like this.

        It is ``None`` if the store cannot count, or only by reading everything.
        """
        return None

    def chunk_ids_of(self, object_id: str, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """Returns the ids of an object's chunks with this metadata; ``None`` if it cannot say."""
        values = self._object_field.stored([object_id])
        return self.chunk_ids({self._object_field.name: values[0], **metadata}) if values else None

    @property
    def _object_field(self) -> ObjectIdField:
        """The metadata field that names a chunk's object, where there is one."""
        return self.object_ids if isinstance(self.object_ids, ObjectIdField) else OWN_FIELD

    def _named_object(self, metadata: Mapping[str, Any]) -> str | None:
        """Returns the value by which a chunk's metadata name its object."""
        name = self._object_field.name
        return metadata[name] if can_be_asked_about(metadata.get(name)) else None

    def _takes_name(self, name: str) -> bool:
        """Returns whether the store's filters take a metadata field of this name literally."""
        return name.isascii() and name.isidentifier() and not iskeyword(name.lower())

    def _confined_to(self, object_ids: list[str]) -> dict[str, Any]:
        """Returns arguments of a search among the objects that the store names like this."""
        raise NotImplementedError

    def _equal_to(self, condition: MetadataCondition) -> Any:
        """Returns a filter on chunks with these values in their metadata."""
        raise NotImplementedError

    def _both(self, name: str, own: Any, further: Any) -> Any:
        """Returns a value of an argument with which both confine; ``None`` if there is none."""
        return None

    def _is_exhaustive(self, own: Mapping[str, Any], confined: bool) -> bool:
        return self.exact

    # Writing and reading back

    def dimensions(self) -> int | None:
        """Returns the length of the vectors that the store takes.

        It is ``None`` if the store takes any length, or does not say.
        """
        return None

    def read(self, ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk] | None:
        """Returns the stored chunks with these ids, each row once; ``None`` if it cannot say."""
        return None

    def existing_ids(self, ids: Sequence[str]) -> Set[str] | None:
        """Returns the ids that are in the store; ``None`` if it cannot say."""
        found = self.read(ids)
        return None if found is None else {chunk.chunk_id for chunk in found}

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str] | None:
        """Returns the ids of the chunks with this metadata; ``None`` if the store cannot say."""
        return None

    def count(self, metadata: Mapping[str, str]) -> int | None:
        """Returns the number of chunks with this metadata; ``None`` if the store cannot say."""
        found = self.chunk_ids(metadata)
        return None if found is None else sum(1 for _ in found)


class FilterableSearch:
    """Combines the caller's arguments with a filter on object ids, which must not replace them.

    Args:
        adapter: The store.
        own: The caller's own arguments of the store's search.
        custom: The caller's own filter on object ids, in place of the store's.
        object_ids: Finds the id of a chunk's object in its metadata.

    Attributes:
        adapter: The store.
        object_filter: The filter on object ids. Without a custom one it is ``None`` for an unknown
            store, and for ids that the store cannot filter by, such as those of a function.
        conditions: The caller's filters that a keyword index can apply, too; ``None`` if there is
            another one.
        can_return_more: Whether a search that asks for more can return more.
    """

    can_return_more = True

    def __init__(
        self,
        adapter: StoreAdapter,
        own: Mapping[str, Any],
        custom: ObjectFilter | None,
        object_ids: ObjectIds = OWN_FIELD,
    ) -> None:
        adapter.object_ids = object_ids
        self.adapter = adapter
        self.object_ids = object_ids
        self.name = type(self).__name__
        self._own = own
        self._custom = custom
        usable = adapter if adapter.can_confine else None
        self.object_filter: ObjectFilter | None = custom or usable
        self.conditions: tuple[MetadataCondition, ...] | None = ()

    @property
    def can_filter(self) -> bool:
        """Returns whether a filter on object ids can be combined with the caller's arguments.

        A custom filter shows only when it is used which arguments it sets.
        """
        if self.object_filter is not self.adapter or not self._own:
            return True
        return self._confined(self.adapter, self._own, []) is not None

    def narrowed(self, *filters: object) -> Self:
        """Returns this search with filters of the caller's, which hold together with all others.

        Args:
            filters: In the store's language, or mappings of equal metadata; ``None`` for none.

        Raises:
            ConfigurationError: The store cannot apply one, or not together with another one.
        """
        narrowed = self
        for each in filters:
            narrowed = narrowed if each is None else narrowed._narrowed_by(each)
        return narrowed

    def _narrowed_by(self, own: object) -> Self:
        if isinstance(own, Mapping) and not own:
            raise ConfigurationError("filter must not be an empty mapping. Leave it out instead.")
        argument = self.adapter.filter_argument
        together = self.adapter.combined(self._own, {argument: self.adapter.filter_of(own)})
        if together is None:
            raise ConfigurationError(
                f"{self.name} cannot combine filter= with the retriever's own {argument}. Make one "
                f"filter of both, or pass mappings of equal metadata such as "
                f"{{'integration': 'zendesk'}}."
            )
        narrowed = copy.copy(self)
        narrowed._own = together  # noqa: SLF001 - own class
        narrowed.conditions = None
        if self.conditions is not None and self.adapter.is_known and is_metadata_condition(own):
            narrowed.conditions = (*self.conditions, own)
        return narrowed

    def arguments(self, step: Search) -> dict[str, Any] | None:
        """Returns the arguments of one search, without its limit.

        They are ``None`` if they cannot be combined with a filter on the step's objects.
        """
        own = _widened(self.adapter.completed(self._own), step.limit) if self._own else {}
        if step.objects is None or self.object_filter is None:
            return self.adapter.ready(own, step.limit)
        confined = self._confined(self.object_filter, own, step.objects)
        return None if confined is None else self.adapter.ready(confined, step.limit)

    def _confined(
        self, object_filter: ObjectFilter, own: Mapping[str, Any], objects: Sequence[str]
    ) -> dict[str, Any] | None:
        try:
            further = object_filter.search_kwargs(objects)
        except NotFilterableError:
            return None
        return self.adapter.combined(own, further)

    def reach(self, step: Inspect) -> Reach:
        """Returns how far searches with these arguments reach."""
        reach = self.adapter.reach(step, self._own)
        if self._custom is None:
            return reach
        exact = self._custom.exact and self._own.keys() <= set(self.adapter.harmless)
        # A custom filter says how confined searches work; the others work as the store does.
        return Reach(exact or (reach.exhaustive and step.objects is None), reach.chunks)


def _widened(arguments: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """Returns the arguments, none of which keeps a search from returning so many hits."""
    widened = dict(arguments)
    for name, value in arguments.items():
        if name in AT_LEAST_THE_LIMIT and type(value) is int:
            widened[name] = max(value, limit)
        elif name in _WITH_ARGUMENTS and isinstance(value, Mapping):
            widened[name] = _widened(value, limit)
    return widened


def checked_question(vector: Any) -> Any:
    """Returns the vector that a model gave for a question, as it is.

    A zero vector passes, as some models give it for texts in which they find no word.

    Raises:
        EmbeddingError: It is missing or empty, or is not made of numbers that 32 bits can hold and
            multiply. Stores would return nothing for it, or passages in a meaningless order.
    """
    try:
        is_usable = len(vector) > 0 and math.hypot(*vector) <= LONGEST_VECTOR
    except (TypeError, ValueError, OverflowError):
        is_usable = False
    if not is_usable:
        raise EmbeddingError(
            "The embedding model returned no usable vector for the question: it must be a list of "
            "numbers without NaN and infinity, none too large for the 32 bits that stores compute "
            "with. Ask again; if it stays so, look at the model."
        )
    return vector


Adapter = TypeVar("Adapter", bound=StoreAdapter)


def matching_adapter(
    store: object, adapters: Iterable[type[Adapter]], search_words: Collection[str]
) -> tuple[type[Adapter] | None, bool]:
    """Returns the adapter class of a store, and whether the store overrides no search.

    A store is recognized by the name of its class and of the package that defines it, or by those
    of a class that it inherits from. So no package is imported that is not in use already.

    Args:
        store: The vector store.
        adapters: The adapter classes of a framework.
        search_words: Words in the names of the methods that search.
    """
    kinds = type(store).__mro__
    for depth, kind in enumerate(kinds):
        for adapter in adapters:
            if any(_is_class(kind, package, name) for package, name in adapter.classes):
                overriding = [*map(vars, kinds[:depth]), vars(store)]
                names = [
                    name
                    for attributes in overriding
                    for name, value in attributes.items()
                    if callable(value)
                ]
                return adapter, not any(word in name for name in names for word in search_words)
    return None, False


def _is_class(kind: type, package: str, name: str) -> bool:
    return kind.__name__ == name and f"{kind.__module__}.".startswith(f"{package}.")
