"""LangChain's own standard tests for retrievers."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import RetrieversIntegrationTests

from managed_sync import AccessChecker
from managed_sync.langchain import PermissionAwareRetriever
from tests.support.permission_service import CheckingService, number_of


@pytest.mark.anyio
class TestPermissionAwareRetriever(RetrieversIntegrationTests):
    @pytest.fixture
    def anyio_backend(self) -> str:
        return "asyncio"

    @property
    def retriever_constructor(self) -> type[PermissionAwareRetriever]:
        return PermissionAwareRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
        store.add_documents(
            [Document(f"passage {n}", metadata={"object_id": f"file:{n}"}) for n in range(20)]
        )
        return {
            "vectorstore": store,
            "checker": AccessChecker(
                CheckingService(lambda _, object_id: number_of(object_id) % 2 == 0)
            ),
            "bound_subject": "alice@x.example",
        }

    @property
    def retriever_query_example(self) -> str:
        return "What did we decide?"
