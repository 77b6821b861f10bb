"""Records and file content of a Managed Sync pipeline as LangChain documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from langchain_core.document_loaders import BaseLoader
from langchain_core.documents import Document

from managed_sync.documents import (
    DocumentLoader,
    LoadFailure,
    Parser,
    RecordSource,
    SourceDocument,
    documents_only,
)
from managed_sync.langchain.conversion import to_langchain
from managed_sync.models import SyncedRecord

__all__ = ["ManagedSyncLoader"]


class ManagedSyncLoader(BaseLoader):
    """Loads a pipeline: one document a record, files parsed into Markdown text.

    A record that cannot be read (gone, damaged, encrypted, too large, empty) never stops the
    others: it is logged, and kept in ``failures``.

    Args:
        client: Where to load from.
        integration: Such as ``"googleDrive"``.
        sync_type: Such as ``"files"``.
        parser: Turns bytes into Markdown text in place of the built-in parsers.
        raise_on_failure: Whether the first record that cannot be read raises instead.

    Attributes:
        failures: The records that the last load could not read, with reasons.

    Example:
        ```python
        loader = ManagedSyncLoader(client, integration="googleDrive", sync_type="files")
        for document in loader.lazy_load():
            print(document.metadata["object_id"], document.metadata["title"])
        ```
    """

    def __init__(
        self,
        client: RecordSource,
        *,
        integration: str,
        sync_type: str,
        parser: Parser | None = None,
        raise_on_failure: bool = False,
    ) -> None:
        self.failures: list[LoadFailure] = []
        self._client = client
        self._integration = integration
        self._sync_type = sync_type
        self._raise_on_failure = raise_on_failure
        self._loader = DocumentLoader(client, parser=parser)

    def lazy_load(self) -> Iterator[Document]:
        """Documents one by one, in the order of the API's listing.

        Raises:
            ApiError: The listing cannot be read, or no record could be downloaded for a reason
                that concerns them all, such as an expired token.
            DocumentError: A record cannot be read, and ``raise_on_failure`` is set.
        """
        self.failures = []
        records = self._client.iter_records(self._integration, self._sync_type)
        documents = documents_only(
            self.load_records(records),
            failures=self.failures,
            raise_on_failure=self._raise_on_failure,
        )
        yield from map(to_langchain, documents)

    def load_records(
        self, records: Iterable[SyncedRecord]
    ) -> Iterator[SourceDocument | LoadFailure]:
        """Loads some records only, as ``IndexSync`` does with those that changed."""
        return self._loader.load_records(records)
