"""The registries of known stores: every adapter is in one, and recognition fails closed."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from llama_index.core import VectorStoreIndex
from llama_index.core.vector_stores import SimpleVectorStore

from managed_sync.langchain import stores as langchain_stores
from managed_sync.langchain.stores import registry as langchain_registry
from managed_sync.langchain.stores.base import LangChainAdapter
from managed_sync.llama_index import stores as llama_index_stores
from managed_sync.llama_index.stores import registry as llama_index_registry
from managed_sync.llama_index.stores.base import LlamaIndexAdapter
from managed_sync.retrieval.effects import Inspect, Reach
from managed_sync.stores.base import StoreAdapter
from tests.stores.chunks import CHUNKS
from tests.support.hash_embeddings import HashEmbeddings

EVERYTHING = Inspect(count=True)
SOME_OBJECTS = Inspect(("file:1",), count=True)


def adapters_in(package: ModuleType, base: type[StoreAdapter]) -> set[type[StoreAdapter]]:
    """The adapters of known stores that the modules of a package define."""
    modules = [
        import_module(module.name)
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    ]
    return {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.classes
    }


def test_every_adapter_is_in_the_registry_of_its_framework() -> None:
    assert adapters_in(langchain_stores, LangChainAdapter) == set(langchain_registry._ADAPTERS)
    assert adapters_in(llama_index_stores, LlamaIndexAdapter) == set(llama_index_registry._ADAPTERS)


@pytest.mark.parametrize("adapters", [langchain_registry._ADAPTERS, llama_index_registry._ADAPTERS])
def test_no_two_adapters_are_for_the_same_class(adapters: list[type[StoreAdapter]]) -> None:
    classes = [known for adapter in adapters for known in adapter.classes]
    assert len(classes) == len(set(classes))


class Renamed(InMemoryVectorStore):
    """Inherits everything."""


class Elsewhere(InMemoryVectorStore):
    """Searches in its own way."""

    def similarity_search_with_score_by_vector(
        self, *args: Any, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        return super().similarity_search_with_score_by_vector(*args, **kwargs)[:1]


class Unknown(VectorStore):
    """A store of which nothing is known."""

    @classmethod
    def from_texts(cls, *_: object, **__: object) -> Unknown:
        return cls()

    def similarity_search(self, *_: object, **__: object) -> list[Document]:
        return []


def test_a_subclass_that_inherits_its_searches_is_as_exhaustive_as_its_base() -> None:
    store = Renamed(HashEmbeddings())
    store.add_documents(CHUNKS)
    adapter = langchain_stores.adapter_of(store)
    assert adapter.reach(EVERYTHING, {}) == Reach(exhaustive=True, chunks=len(CHUNKS))


@pytest.mark.parametrize("step", [EVERYTHING, SOME_OBJECTS])
def test_a_subclass_that_overrides_a_search_is_never_exhaustive(step: Inspect) -> None:
    store = Elsewhere(HashEmbeddings())
    store.add_documents(CHUNKS)
    adapter = langchain_stores.adapter_of(store)
    assert adapter.is_known
    assert adapter.reach(step, {}) == Reach()


@pytest.mark.parametrize("step", [EVERYTHING, SOME_OBJECTS])
def test_a_store_whose_search_was_replaced_is_never_exhaustive(step: Inspect) -> None:
    store = InMemoryVectorStore(HashEmbeddings())
    store.similarity_search_with_score_by_vector = lambda *_, **__: []  # type: ignore[method-assign]
    assert langchain_stores.adapter_of(store).reach(step, {}) == Reach()


@pytest.mark.parametrize("step", [EVERYTHING, SOME_OBJECTS])
def test_an_unknown_store_has_no_filter_and_is_never_exhaustive(step: Inspect) -> None:
    for adapter in (langchain_stores.adapter_of(Unknown()), llama_index_stores.adapter_of(None)):
        assert not adapter.is_known
        assert adapter.reach(step, {}) == Reach()
        assert adapter.chunk_count() is None
        assert not adapter.exact


def test_an_unknown_store_says_that_it_cannot_say() -> None:
    adapter = langchain_stores.adapter_of(Unknown())
    assert adapter.read(["an id"]) is None
    assert adapter.existing_ids(["an id"]) is None
    assert adapter.chunk_ids({"object_id": "file:1"}) is None
    assert adapter.count({"object_id": "file:1"}) is None
    assert not adapter.can_update_metadata


def test_an_index_that_may_search_in_its_own_way_is_never_exhaustive() -> None:
    class OwnIndex(VectorStoreIndex):
        pass

    store = SimpleVectorStore()
    plain: Any = VectorStoreIndex.__new__(VectorStoreIndex)
    other: Any = OwnIndex.__new__(OwnIndex)
    assert llama_index_stores.adapter_of(store, plain).reach(EVERYTHING, {}).exhaustive
    assert llama_index_stores.adapter_of(store, other).reach(EVERYTHING, {}) == Reach()


def test_a_class_that_merely_shares_a_name_is_not_known() -> None:
    shared_name = type("SimpleVectorStore", (), {})
    assert not llama_index_stores.adapter_of(shared_name()).is_known
