"""Records and file content of a Managed Sync pipeline as LlamaIndex documents."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import Any, TypeVar, Unpack

from llama_index.core.readers.base import BasePydanticReader, ResourcesReaderMixin
from llama_index.core.schema import Document
from pydantic import PrivateAttr

from managed_sync.documents import (
    AsyncRecordSource,
    DocumentLoader,
    Loaded,
    LoadFailure,
    LoadOptions,
    RecordSource,
    adocuments_only,
    documents_only,
)
from managed_sync.documents.loading.results import note_failure
from managed_sync.documents.loading.source import ListedRecords, is_asynchronous
from managed_sync.errors import ConfigurationError, NotFoundError
from managed_sync.identifiers import object_id_for
from managed_sync.llama_index.conversion import to_document
from managed_sync.logs import get_logger
from managed_sync.models import SyncedRecord

__all__ = ["ManagedSyncReader"]

_Job = TypeVar("_Job")

_logger = get_logger(__name__)


class ManagedSyncReader(BasePydanticReader, ResourcesReaderMixin):
    """Loads a pipeline: a document per record and per attachment, parsed into Markdown text.

    A record that cannot be read (deleted, damaged, encrypted, too large, empty) never stops the
    others: it is logged, and kept in ``failures``. The resources are the records, by their ids.

    Args:
        client: The client to load with; asynchronous methods take an asynchronous one, too.
        integration: The integration, such as ``"googleDrive"``.
        sync_type: The sync type, such as ``"files"``.
        raise_on_failure: Whether to raise at the first record that cannot be read.
        options: The options of ``managed_sync.documents.DocumentLoader``: ``parser``,
            ``downloads``, ``processes``, ``parse_timeout``, ``max_bytes``, ``keep_order``,
            ``show_progress`` and others.

    Raises:
        ConfigurationError: An option is not valid.

    Examples:
        ```python
        reader = ManagedSyncReader(client, integration="googleDrive", sync_type="files")
        documents = reader.load_data()
        ```
    """

    is_remote: bool = True
    integration: str
    sync_type: str
    raise_on_failure: bool = False

    # The client holds credentials, so it is not serialized.
    _client: Any = PrivateAttr()
    _loader: DocumentLoader = PrivateAttr()
    _failures: list[LoadFailure] = PrivateAttr(default_factory=list)

    def __init__(
        self,
        client: RecordSource | AsyncRecordSource,
        *,
        integration: str,
        sync_type: str,
        raise_on_failure: bool = False,
        is_remote: bool = True,
        **options: Unpack[LoadOptions],
    ) -> None:
        super().__init__(
            integration=integration,
            sync_type=sync_type,
            raise_on_failure=raise_on_failure,
            is_remote=is_remote,
        )
        self._client = client
        self._loader = DocumentLoader(client, **options)

    @classmethod
    def class_name(cls) -> str:
        """Returns the name under which LlamaIndex serializes this reader."""
        return "ManagedSyncReader"

    @property
    def failures(self) -> list[LoadFailure]:
        """Returns the records that the last load could not read, with reasons."""
        return self._failures

    def lazy_load_data(self, *_: Any, **__: Any) -> Iterator[Document]:
        """Yields documents one by one, in the order of the API's listing.

        Raises:
            ApiError: The listing cannot be read, or no record could be downloaded for a reason
                that concerns them all, such as an expired token.
            DocumentError: A record cannot be read, and ``raise_on_failure`` is set.
        """
        self._failures = []
        yield from self._documents(self._loader.load(self.integration, self.sync_type))

    async def alazy_load_data(self, *_: Any, **__: Any) -> Iterable[Document]:
        """Returns the documents without blocking; LlamaIndex expects an iterable of them.

        Raises:
            ApiError: As ``lazy_load_data``.
            DocumentError: A record cannot be read, and ``raise_on_failure`` is set.
        """
        self._failures = []
        documents = adocuments_only(
            self._loader.aload(self.integration, self.sync_type),
            failures=self._failures,
            raise_on_failure=self.raise_on_failure,
        )
        return [to_document(document) async for document in documents]

    async def aload_data(self, *_: Any, **__: Any) -> list[Document]:
        """Returns the documents, without blocking the event loop.

        Raises:
            ApiError: As ``lazy_load_data``.
            DocumentError: A record cannot be read, and ``raise_on_failure`` is set.
        """
        return list(await self.alazy_load_data())

    def load_records(self, records: Iterable[SyncedRecord]) -> Iterator[Loaded]:
        """Loads some records."""
        return self._loader.load_records(records)

    def load_jobs(
        self, jobs: Iterable[tuple[SyncedRecord, _Job]]
    ) -> Generator[tuple[Loaded, _Job]]:
        """Loads some records, each with a value that comes back, as ``IndexSync`` does."""
        return self._loader.load_jobs(jobs)

    def title(self, record: SyncedRecord) -> str:
        """Returns a record's title, as in the metadata of its document."""
        return self._loader.title(record)

    def list_resources(self, *_: Any, **__: Any) -> list[str]:
        """Returns the ids of all records that are not folders."""
        return list(self.list_resources_with_info())

    async def alist_resources(self, *_: Any, **__: Any) -> list[str]:
        """Returns the ids of all records that are not folders."""
        return list(await self.alist_resources_with_info())

    def list_resources_with_info(self, *_: Any, **__: Any) -> dict[str, dict[str, Any]]:
        """Returns the metadata of each record that is not a folder, from one listing."""
        listed = ListedRecords(self._synchronous().iter_records(self.integration, self.sync_type))
        return self._described(list(listed), listed)

    async def alist_resources_with_info(self, *_: Any, **__: Any) -> dict[str, dict[str, Any]]:
        """Returns the metadata of each record that is not a folder, from one listing."""
        if not is_asynchronous(self._client):
            return await to_thread(self.list_resources_with_info)
        listed = ListedRecords(self._client.iter_records(self.integration, self.sync_type))
        return self._described([record async for record in listed], listed)

    def get_resource_info(self, resource_id: str, *_: Any, **__: Any) -> dict[str, Any]:
        """Returns the metadata of one record's document, without loading it."""
        return self._loader.describe(self._synchronous().get_record(resource_id))

    async def aget_resource_info(self, resource_id: str, *_: Any, **__: Any) -> dict[str, Any]:
        """Returns the metadata of one record's document, without loading it."""
        return self._loader.describe(await self._ask(self._client.get_record, resource_id))

    def get_permission_info(
        self, resource_id: str, *_: Any, relation: str = "viewer", **__: Any
    ) -> dict[str, Any]:
        """Returns the users who now have a relation to a record's object.

        Returns:
            ``object_id``, ``relation`` and ``users``.
        """
        client = self._synchronous()
        object_id = self._loader.describe(client.get_record(resource_id))["object_id"]
        users = client.list_users(object_id, relation)
        return {"object_id": object_id, "relation": relation, "users": users}

    async def aget_permission_info(
        self, resource_id: str, *_: Any, relation: str = "viewer", **__: Any
    ) -> dict[str, Any]:
        """Like ``get_permission_info``, without blocking the event loop."""
        object_id = (await self.aget_resource_info(resource_id))["object_id"]
        users = await self._ask(self._client.list_users, object_id, relation)
        return {"object_id": object_id, "relation": relation, "users": users}

    def load_resource(self, resource_id: str, *_: Any, **__: Any) -> list[Document]:
        """Returns the document of one record, or none if it cannot be read; see ``failures``."""
        return self.load_resources([resource_id])

    async def aload_resource(self, resource_id: str, *_: Any, **__: Any) -> list[Document]:
        """Returns the document of one record, or none if it cannot be read; see ``failures``."""
        return (await self.aload_resources([resource_id]))[resource_id]

    def load_resources(self, resource_ids: list[str], *_: Any, **__: Any) -> list[Document]:
        """Returns the documents of some records, in order, without those that cannot be read."""
        self._failures = []
        client = self._synchronous()
        found = (self._found(resource_id, client.get_record) for resource_id in resource_ids)
        loaded = self._loader.load_records(record for record in found if record is not None)
        return list(self._documents(loaded))

    async def aload_resources(
        self, resource_ids: list[str], *_: Any, **__: Any
    ) -> dict[str, list[Document]]:
        """Returns the documents of some records by their ids; none for one that cannot be read."""
        self._failures = []

        async def records() -> AsyncIterator[SyncedRecord]:
            for resource_id in resource_ids:
                try:
                    yield await self._ask(self._client.get_record, resource_id)
                except NotFoundError as error:
                    self._note_missing(resource_id, error)

        documents: dict[str, list[Document]] = {resource_id: [] for resource_id in resource_ids}
        loaded = self._loader.aload_records(records())
        async for source in adocuments_only(
            loaded, failures=self._failures, raise_on_failure=self.raise_on_failure
        ):
            documents[str(source.metadata["record_id"])].append(to_document(source))
        return documents

    def _documents(self, loaded: Generator[Loaded]) -> Iterator[Document]:
        documents = documents_only(
            loaded, failures=self._failures, raise_on_failure=self.raise_on_failure
        )
        yield from map(to_document, documents)

    def _found(
        self, resource_id: str, get_record: Callable[[str], SyncedRecord]
    ) -> SyncedRecord | None:
        try:
            return get_record(resource_id)
        except NotFoundError as error:
            self._note_missing(resource_id, error)
            return None

    def _note_missing(self, resource_id: str, error: NotFoundError) -> None:
        if self.raise_on_failure:
            raise error
        object_id = object_id_for(self.sync_type, resource_id)
        _logger.warning("Not loaded: %s", error)
        self._failures.append(LoadFailure(resource_id, object_id, resource_id, str(error), error))

    def _described(
        self, records: Iterable[SyncedRecord], listed: ListedRecords[SyncedRecord]
    ) -> dict[str, dict[str, Any]]:
        self._failures = []
        for failure in listed.failures():
            note_failure(failure, self._failures, raise_on_failure=self.raise_on_failure)
        return {
            record.id: self._loader.describe(record) for record in records if not record.is_folder
        }

    def _synchronous(self) -> Any:
        """Returns the client, unless it is asynchronous."""
        if is_asynchronous(self._client):
            raise ConfigurationError(
                "This method needs a synchronous client. With an asynchronous one, await "
                "aload_data, alist_resources and the like."
            )
        return self._client

    async def _ask(self, method: Callable[..., Any], *arguments: str) -> Any:
        """Returns the client's response, awaiting it or, if it blocks, in a thread."""
        if is_asynchronous(self._client):
            return await method(*arguments)
        return await to_thread(method, *arguments)
