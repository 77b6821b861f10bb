"""Makes documents of records and their content."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from managed_sync.documents import markdown, record_metadata
from managed_sync.documents.load_results import LoadFailure
from managed_sync.documents.parsing_pool import ParsingPool
from managed_sync.documents.records_as_text import record_text
from managed_sync.documents.source_document import SourceDocument
from managed_sync.documents.tables_as_html import small_tables_html
from managed_sync.errors import (
    ContentTooLargeError,
    EmptyContentError,
    ManagedSyncError,
)
from managed_sync.models import FileContent, SyncedRecord

__all__ = ["DocumentMaker"]


class DocumentMaker:
    """Makes documents of records and their content, and reports of what went wrong."""

    def __init__(
        self,
        *,
        project_id: str,
        pool: ParsingPool,
        max_bytes: int,
        object_id: Callable[[SyncedRecord], str],
        templates: Mapping[str, Callable[[SyncedRecord], str]] | None,
    ) -> None:
        self._project_id = project_id
        self._pool = pool
        self.max_bytes = max_bytes
        self._object_id = object_id
        self._templates = templates

    def from_fields(self, record: SyncedRecord) -> SourceDocument:
        """A record that is its fields and nothing else, such as a contact.

        Raises:
            EmptyContentError: Nothing is in them.
        """
        text = markdown.clean(record_text(record, self._templates))
        if not text.strip():
            raise EmptyContentError(f"{record_metadata.title(record)} has no text in it.")
        return self._document(record, text, "text/markdown")

    def check_announced_size(self, record: SyncedRecord) -> None:
        """Refuses a file of which the record itself says that it is too large.

        Raises:
            ContentTooLargeError: It is.
        """
        size = record.data.get("size")
        if isinstance(size, int):
            self._check_size(record, size)

    def from_content(self, record: SyncedRecord, content: FileContent) -> SourceDocument:
        """A file with its content.

        Raises:
            DocumentError: The content is too large, or cannot be read.
            ConfigurationError: Its format needs a library that is not installed.
        """
        self._check_size(record, len(content.data))
        mime_type = record_metadata.mime_type(record, content)
        text = self._pool.parse(
            content.data,
            content_type=mime_type,
            filename=content.filename or record_metadata.filename(record),
        )
        return self._document(record, text, mime_type)

    def failure(self, record: SyncedRecord, error: ManagedSyncError) -> LoadFailure:
        """What is reported of a record that became no document."""
        title = record_metadata.title(record)
        return LoadFailure(record.id, self._object_id(record), title, str(error), error)

    def _check_size(self, record: SyncedRecord, size: int) -> None:
        if size > self.max_bytes:
            raise ContentTooLargeError(
                f"{record_metadata.title(record)} has {size:,} bytes; the limit is "
                f"{self.max_bytes:,}. Raise max_bytes to load it."
            )

    def _document(self, record: SyncedRecord, text: str, mime_type: str) -> SourceDocument:
        metadata = record_metadata.metadata(
            record,
            object_id=self._object_id(record),
            project_id=self._project_id,
            mime_type=mime_type,
        )
        if tables := small_tables_html(text):
            metadata["tables_html"] = tables
        return SourceDocument(text, metadata)
