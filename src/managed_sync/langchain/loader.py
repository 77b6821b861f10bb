"""Records and file content of a Managed Sync pipeline as LangChain documents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from typing import TypeVar, Unpack

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

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
from managed_sync.langchain.conversion import to_langchain
from managed_sync.models import SyncedRecord

__all__ = ["ManagedSyncLoader"]

_Job = TypeVar("_Job")


class ManagedSyncLoader(BaseLoader):
    """Loads a pipeline: a document per record and per attachment, parsed into Markdown text.

    A record that cannot be read (deleted, damaged, encrypted, too large, empty) never stops the
    others: it is logged, and kept in ``failures``.

    Args:
        client: The client to load with; ``alazy_load`` and ``aload`` take an asynchronous one, too.
        integration: The integration, such as ``"googleDrive"``.
        sync_type: The sync type, such as ``"files"``.
        raise_on_failure: Whether to raise at the first record that cannot be read.
        options: The options of ``managed_sync.documents.DocumentLoader``: ``parser``,
            ``downloads``, ``processes``, ``parse_timeout``, ``max_bytes``, ``keep_order``,
            ``show_progress`` and others.

    Attributes:
        failures: The records that the last load could not read, with reasons.

    Raises:
        ConfigurationError: An option is not valid.

    Examples:
        ```python
        loader = ManagedSyncLoader(client, integration="googleDrive", sync_type="files")
        for document in loader.lazy_load():
            print(document.metadata["object_id"], document.metadata["title"])
        ```
    """

    def __init__(
        self,
        client: RecordSource | AsyncRecordSource,
        *,
        integration: str,
        sync_type: str,
        raise_on_failure: bool = False,
        **options: Unpack[LoadOptions],
    ) -> None:
        self.failures: list[LoadFailure] = []
        self._integration = integration
        self._sync_type = sync_type
        self._raise_on_failure = raise_on_failure
        self._loader = DocumentLoader(client, **options)

    def lazy_load(self) -> Iterator[Document]:
        """Yields documents one by one, in the order of the API's listing.

        Raises:
            ApiError: The listing cannot be read, or no record could be downloaded for a reason
                that concerns them all, such as an expired token.
            DocumentError: A record cannot be read, and ``raise_on_failure`` is set.
        """
        self.failures = []
        documents = documents_only(
            self._loader.load(self._integration, self._sync_type),
            failures=self.failures,
            raise_on_failure=self._raise_on_failure,
        )
        yield from map(to_langchain, documents)

    async def alazy_load(self) -> AsyncIterator[Document]:
        """Like ``lazy_load``, without blocking, with an asynchronous or a synchronous client.

        Raises:
            ApiError: As ``lazy_load``.
            DocumentError: A record cannot be read, and ``raise_on_failure`` is set.
        """
        self.failures = []
        documents = adocuments_only(
            self._loader.aload(self._integration, self._sync_type),
            failures=self.failures,
            raise_on_failure=self._raise_on_failure,
        )
        async for document in documents:
            yield to_langchain(document)

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
