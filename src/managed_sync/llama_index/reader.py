"""Records and file content of a Managed Sync pipeline as LlamaIndex documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from llama_index.core.readers.base import BasePydanticReader
from llama_index.core.schema import Document
from pydantic import PrivateAttr

from managed_sync.documents import (
    DocumentLoader,
    LoadFailure,
    Parser,
    RecordSource,
    SourceDocument,
    documents_only,
)
from managed_sync.llama_index.conversion import to_document
from managed_sync.models import SyncedRecord

__all__ = ["ManagedSyncReader"]


class ManagedSyncReader(BasePydanticReader):
    """Loads a pipeline: one document a record, files parsed into Markdown text.

    A record that cannot be read (gone, damaged, encrypted, too large, empty) never stops the
    others: it is logged, and kept in ``failures``.

    Args:
        client: Where to load from.
        integration: Such as ``"googleDrive"``.
        sync_type: Such as ``"files"``.
        parser: Turns bytes into Markdown text in place of the built-in parsers.
        raise_on_failure: Whether the first record that cannot be read raises instead.

    Example:
        ```python
        reader = ManagedSyncReader(client, integration="googleDrive", sync_type="files")
        documents = reader.load_data()
        ```
    """

    is_remote: bool = True
    integration: str
    sync_type: str
    raise_on_failure: bool = False

    # The client holds credentials, so it is not part of what is serialized.
    _client: RecordSource = PrivateAttr()
    _loader: DocumentLoader = PrivateAttr()
    _failures: list[LoadFailure] = PrivateAttr(default_factory=list)

    def __init__(
        self, client: RecordSource, *, parser: Parser | None = None, **fields: Any
    ) -> None:
        super().__init__(**fields)
        self._client = client
        self._loader = DocumentLoader(client, parser=parser)

    @classmethod
    def class_name(cls) -> str:
        """The name under which LlamaIndex serializes this reader."""
        return "ManagedSyncReader"

    @property
    def failures(self) -> list[LoadFailure]:
        """The records that the last load could not read, with reasons."""
        return self._failures

    def lazy_load_data(self, *_: Any, **__: Any) -> Iterator[Document]:
        """Documents one by one, in the order of the API's listing.

        Raises:
            ApiError: The listing cannot be read, or no record could be downloaded for a reason
                that concerns them all, such as an expired token.
            DocumentError: A record cannot be read, and ``raise_on_failure`` is set.
        """
        self._failures = []
        records = self._client.iter_records(self.integration, self.sync_type)
        documents = documents_only(
            self.load_records(records),
            failures=self._failures,
            raise_on_failure=self.raise_on_failure,
        )
        yield from map(to_document, documents)

    def load_records(
        self, records: Iterable[SyncedRecord]
    ) -> Iterator[SourceDocument | LoadFailure]:
        """Loads some records only, as ``IndexSync`` does with those that changed."""
        return self._loader.load_records(records)
