"""A store that fails shows nothing of what it holds: not to the caller, a tracer or the log."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import RunnableLambda
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_qdrant import QdrantVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import VectorStoreQuery, VectorStoreQueryResult

from managed_sync import AccessChecker, langchain, llama_index
from managed_sync.errors import EmbeddingError, ManagedSyncError, StoreSearchError
from managed_sync.stores.failures import searched
from tests.support.hash_embeddings import HashEmbedding, HashEmbeddings
from tests.support.permission_service import FakePermissionService

SECRET = "TOP SECRET MERGER"
CHECKER = AccessChecker(FakePermissionService("file:1"), list_limit=None)
ALICE = "a@x.example"


def fail(*_: Any, **__: Any) -> Any:
    raise ValueError(f"got {SECRET}")


class FailingStore(SimpleVectorStore):
    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        raise ValueError(f"got {SECRET}")


class FailingRetriever(BaseRetriever):
    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        raise ValueError(f"got {SECRET}")


def langchain_store() -> Any:
    store: Any = InMemoryVectorStore(HashEmbeddings())
    store.similarity_search_with_score = store.asimilarity_search_with_score = fail
    return langchain.PermissionAwareRetriever(vectorstore=store, checker=CHECKER)


def damaged_row() -> Any:
    """A row whose text is none, so that LangChain's own error shows it."""
    metadata = [{"object_id": "file:2"}]
    store = QdrantVectorStore.from_texts(["a"], HashEmbeddings(), metadata, location=":memory:")
    [point] = store.client.scroll(store.collection_name)[0]
    store.client.set_payload(store.collection_name, {"page_content": [SECRET]}, [point.id])
    return langchain.PermissionAwareRetriever(vectorstore=store, checker=CHECKER)


def langchain_retriever() -> Any:
    another: Any = RunnableLambda(fail)
    return langchain.PermissionAwareRetriever.from_retriever(another, checker=CHECKER)


def llama_index_store() -> Any:
    context = StorageContext.from_defaults(vector_store=FailingStore())
    index = VectorStoreIndex([], storage_context=context, embed_model=HashEmbedding())
    return llama_index.PermissionAwareRetriever(index, checker=CHECKER)


def llama_index_retriever() -> Any:
    return llama_index.PermissionAwareRetriever.from_retriever(FailingRetriever(), checker=CHECKER)


MAKERS: list[Callable[[], Any]] = [
    langchain_store,
    damaged_row,
    langchain_retriever,
    llama_index_store,
    llama_index_retriever,
]


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_the_text_of_a_stores_error_is_not_shown_and_its_class_is(
    make: Callable[[], Any], asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    retriever = make()

    def ask() -> None:
        if asynchronous:
            asyncio.run(retriever.aretrieve_with_report("q", subject=ALICE))
        else:
            retriever.retrieve_with_report("q", subject=ALICE)

    with pytest.raises(StoreSearchError, match=r"could not be searched: .*V.*Error") as raised:
        ask()

    assert issubclass(raised.value.error_type, ValueError)
    assert raised.value.__cause__ is raised.value.__context__ is None
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert SECRET not in "".join(shown.format())
    assert "Error" in caplog.text
    assert SECRET not in caplog.text


def test_callbacks_get_the_error_without_the_text() -> None:
    errors: list[BaseException] = []

    class Watcher(BaseCallbackHandler):
        def on_retriever_error(self, error: BaseException, **_: Any) -> None:
            errors.append(error)

    with pytest.raises(StoreSearchError):
        damaged_row().invoke("q", config={"callbacks": [Watcher()]}, subject=ALICE)

    [error] = errors
    assert error.__cause__ is error.__context__ is None
    assert SECRET not in "".join(traceback.format_exception(error))


def test_the_status_of_a_response_is_shown() -> None:
    class ResponseError(Exception):
        status_code = 503

    def ask() -> None:
        raise ResponseError(SECRET)

    with pytest.raises(StoreSearchError, match=r"ResponseError \(status 503\)"):
        searched("Store", ask)


@pytest.mark.parametrize("error", [EmbeddingError("no vector"), ManagedSyncError("known")])
def test_errors_of_this_package_are_raised_as_they_are(error: ManagedSyncError) -> None:
    def ask() -> None:
        raise error

    with pytest.raises(ManagedSyncError) as raised:
        searched("Store", ask)
    assert raised.value is error


class WithoutModelError(Exception):
    pass


def test_an_error_of_the_embedding_model_is_raised_as_it_is() -> None:
    class Away(HashEmbeddings):
        def embed_query(self, text: str) -> list[float]:
            raise WithoutModelError

    store = InMemoryVectorStore(Away())
    retriever = langchain.PermissionAwareRetriever(vectorstore=store, checker=CHECKER)
    with pytest.raises(WithoutModelError):
        retriever.invoke("q", subject=ALICE)
