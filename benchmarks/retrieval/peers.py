"""Other packages for retrieval with permissions, each used as its documentation says.

Each one's own code runs up to the request that it would send over the network; the permission
service in memory answers that. Runs in an environment of its own (see ``requirements.txt``).
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from types import SimpleNamespace
from typing import Any

from auth0_ai_langchain import FGARetriever  # type: ignore[import-not-found]
from authzed.api.v1 import (
    CheckBulkPermissionsPair,
    CheckBulkPermissionsRequest,
    CheckBulkPermissionsResponse,
    CheckBulkPermissionsResponseItem,
    CheckPermissionResponse,
    LookupResourcesRequest,
    LookupResourcesResponse,
)
from langchain_core.documents import Document
from langchain_spicedb import (  # type: ignore[import-not-found]
    SpiceDBAuthFilter,
    SpiceDBPreFilterRetriever,
)
from openfga_sdk import ClientConfiguration  # type: ignore[import-not-found]
from openfga_sdk.client.models import ClientBatchCheckItem  # type: ignore[import-not-found]
from wardowl import (  # type: ignore[import-not-found]
    FunctionAuthorizer,
    Hit,
    In,
    PermissionedRetriever,
    Subject,
)
from wardowl.langchain import (  # type: ignore[import-not-found]
    LangChainVectorStoreBackend,
    WardowlRetriever,
)

from benchmarks.retrieval.contenders import Contender, unfiltered
from benchmarks.retrieval.permission_service import PermissionService
from benchmarks.retrieval.vector_store import ExactVectorStore

__all__ = ["contenders"]

# The packages build their clients themselves, from these names.
_FGA_MODULE = "auth0_ai_langchain.FGARetriever"
_SPICEDB_MODULE = "langchain_spicedb.core"


def contenders(store: ExactVectorStore, service: PermissionService, k: int) -> list[Contender]:
    """All peers, over one store and one permission service."""
    return [
        unfiltered(store, k, beside="the peers"),
        *_fga_retrievers(store, service, k),
        *_spicedb_retrievers(store, service, k),
        *_wardowl_retrievers(store, service, k),
    ]


def _fga_retrievers(store: ExactVectorStore, service: PermissionService, k: int) -> list[Contender]:
    """``FGARetriever`` over the store's retriever, as its README builds it."""
    _answer_openfga_requests(service)
    # Without an account it needs a configuration of its own; the id only has to be well-formed.
    configuration = ClientConfiguration(
        api_url="http://localhost:8080", store_id="01ARZ3NDEKTSV4RRFFQ69G5FAV"
    )

    def retriever_for(subject: str, fetch: int) -> Any:
        return FGARetriever(
            store.as_retriever(search_kwargs={"k": fetch}),
            build_query=lambda document: ClientBatchCheckItem(
                user=f"user:{subject}", object=document.metadata["object_id"], relation="viewer"
            ),
            fga_configuration=configuration,
        )

    def over(fetch: int) -> Callable[[str, str], Sequence[Document]]:
        return lambda question, subject: retriever_for(subject, fetch).invoke(question)

    loop = asyncio.new_event_loop()

    def asynchronously(question: str, subject: str) -> Sequence[Document]:
        return loop.run_until_complete(retriever_for(subject, k).ainvoke(question))

    return [
        Contender(f"auth0-ai-langchain, k={k}", over(k)),
        Contender(f"auth0-ai-langchain, k={5 * k}", over(5 * k)),
        Contender(f"auth0-ai-langchain, k={k}, async", asynchronously),
    ]


def _answer_openfga_requests(service: PermissionService) -> None:
    """Lets the OpenFGA SDK's clients do all but send: batches of 50, ten at a time, stay theirs."""

    def answer(body: Any, decisions: Sequence[bool]) -> Any:
        return SimpleNamespace(
            result={
                check.correlation_id: SimpleNamespace(allowed=allowed, error=None)
                for check, allowed in zip(body.checks, decisions, strict=True)
            }
        )

    def asked(body: Any) -> tuple[str, list[str]]:
        user = body.checks[0].tuple_key.user.removeprefix("user:")
        return user, [check.tuple_key.object for check in body.checks]

    def single_batch_check(body: Any, options: Any = None) -> Any:
        return answer(body, service.check(*asked(body)))

    async def asingle_batch_check(body: Any, options: Any = None) -> Any:
        return answer(body, await service.acheck(*asked(body)))

    def answered_by(client_type: Any, single: Any) -> Callable[[Any], Any]:
        def make(configuration: Any) -> Any:
            client = client_type(configuration)
            client._single_batch_check = single  # noqa: SLF001 - replaces requests; openfga-sdk 0.9
            return client

        return make

    module: Any = importlib.import_module(_FGA_MODULE)
    sync_client = importlib.import_module("openfga_sdk.sync").OpenFgaClient
    async_client = importlib.import_module("openfga_sdk").OpenFgaClient
    module.OpenFgaClientSync = answered_by(sync_client, single_batch_check)
    module.OpenFgaClient = answered_by(async_client, asingle_batch_check)


def _spicedb_retrievers(
    store: ExactVectorStore, service: PermissionService, k: int
) -> list[Contender]:
    """``SpiceDBAuthFilter`` behind the store's retriever, and ``SpiceDBPreFilterRetriever``."""
    module: Any = importlib.import_module(_SPICEDB_MODULE)
    module.Client = lambda endpoint, credentials: _SpiceDB(service)
    # The package advises the asynchronous calls; one loop spares it a new client each time.
    loop = asyncio.new_event_loop()
    auth = SpiceDBAuthFilter(
        resource_type="file", resource_id_key="record_id", permission="view", subject_type="user"
    )

    def post_filter(fetch: int) -> Callable[[str, str], Sequence[Document]]:
        chain = store.as_retriever(search_kwargs={"k": fetch}) | auth

        def retrieve(question: str, subject: str) -> Sequence[Document]:
            config = {"configurable": {"subject_id": subject}}
            found: Sequence[Document] = loop.run_until_complete(chain.ainvoke(question, config))
            return found

        return retrieve

    def pre_filter(question: str, subject: str) -> Sequence[Document]:
        retriever = SpiceDBPreFilterRetriever(
            vector_store=store,
            filter_factory=lambda ids: {"object_ids": [f"file:{name}" for name in ids]},
            subject_id=subject,
            resource_type="file",
            permission="view",
            k=k,
        )
        found: Sequence[Document] = loop.run_until_complete(retriever.ainvoke(question))
        return found

    return [
        Contender(f"langchain-spicedb post-filter, k={k}", post_filter(k)),
        Contender(f"langchain-spicedb post-filter, k={5 * k}", post_filter(5 * k)),
        Contender("langchain-spicedb pre-filter", pre_filter),
    ]


class _SpiceDB:
    """The two calls that the package makes of SpiceDB's client."""

    def __init__(self, service: PermissionService) -> None:
        self._service = service

    async def CheckBulkPermissions(self, request: CheckBulkPermissionsRequest) -> Any:  # noqa: N802
        subject = request.items[0].subject.object.object_id
        objects = [
            f"{item.resource.object_type}:{item.resource.object_id}" for item in request.items
        ]
        decisions = await self._service.acheck(subject, objects)
        return CheckBulkPermissionsResponse(
            pairs=[
                CheckBulkPermissionsPair(
                    request=item,
                    item=CheckBulkPermissionsResponseItem(
                        permissionship=CheckPermissionResponse.PERMISSIONSHIP_HAS_PERMISSION
                        if allowed
                        else CheckPermissionResponse.PERMISSIONSHIP_NO_PERMISSION
                    ),
                )
                for item, allowed in zip(request.items, decisions, strict=True)
            ]
        )

    async def LookupResources(self, request: LookupResourcesRequest) -> AsyncIterator[Any]:  # noqa: N802
        for name in await self._service.alist_objects(request.subject.object.object_id):
            yield LookupResourcesResponse(resource_object_id=name.partition(":")[2])


def _wardowl_retrievers(
    store: ExactVectorStore, service: PermissionService, k: int
) -> list[Contender]:
    """``WardowlRetriever`` over the store; its default, ``auto``, pre-filters where it can."""

    def check(subject: Subject, hits: Sequence[Hit], action: str) -> list[bool]:
        objects = [hit.metadata["object_id"] for hit in hits]
        distinct = list(dict.fromkeys(objects))
        allowed = dict(zip(distinct, service.check(subject.id, distinct), strict=True))
        return [allowed[name] for name in objects]

    def filter_for(subject: Subject, action: str) -> In:
        return In("object_id", service.list_objects(subject.id))

    def through(permissioned: Any) -> Callable[[str, str], Sequence[Document]]:
        retriever = WardowlRetriever(retriever=permissioned, k=k)
        return lambda question, subject: retriever.invoke(question, subject=Subject(subject))

    post_filtered = LangChainVectorStoreBackend(store)
    authorizer = FunctionAuthorizer(check, filter_for)
    return [
        Contender("wardowl post-filter", through(PermissionedRetriever(post_filtered, authorizer))),
        Contender(
            "wardowl post-filter, 10,000 candidates",
            through(PermissionedRetriever(post_filtered, authorizer, max_candidates=10_000)),
        ),
        Contender(
            "wardowl pre-filter (auto)",
            through(PermissionedRetriever(_FilteredBackend(store), authorizer)),
        ),
    ]


class _FilteredBackend:
    """The store as a search backend that takes filters, in wardowl's terms."""

    supports_filters = True

    def __init__(self, store: ExactVectorStore) -> None:
        self._store = store

    def search(self, query: str, k: int, filter: In | None = None) -> list[Hit]:  # noqa: A002
        object_ids = None if filter is None else list(filter.values)
        found = self._store.similarity_search_with_score(query, k, object_ids=object_ids)
        return [
            Hit(str(document.id), document.page_content, score, document.metadata)
            for document, score in found
        ]
