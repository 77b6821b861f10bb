"""Makes documents of records and their content."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from managed_sync.documents.chunking.html_tables import small_tables_html
from managed_sync.documents.loading import record_metadata
from managed_sync.documents.loading.record_templates import record_text
from managed_sync.documents.loading.results import LoadFailure
from managed_sync.documents.model import SourceDocument
from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.file_types import contradicts
from managed_sync.documents.parsing.pool import ParsingPool
from managed_sync.errors import (
    ContentTooLargeError,
    DocumentError,
    EmptyContentError,
    ManagedSyncError,
    ParsingError,
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
            DocumentError: The template of its sync type failed.
        """
        text = markdown.clean(self._written(record))
        if not text.strip():
            raise EmptyContentError(f"{self.title(record)} has no text in it.")
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
        self._check_type(record, content)
        mime_type = record_metadata.mime_type(record, content)
        text = self._pool.parse(
            content.data,
            content_type=mime_type,
            filename=content.filename or record_metadata.filename(record),
        )
        return self._document(record, text, mime_type)

    def failure(self, record: SyncedRecord, error: ManagedSyncError) -> LoadFailure:
        """What is reported of a record that became no document."""
        return LoadFailure(record.id, self._named(record), self.title(record), str(error), error)

    def title(self, record: SyncedRecord) -> str:
        """Returns what people call a record, as its document's metadata have it."""
        return record_metadata.title(record, self._templates)

    def _named(self, record: SyncedRecord) -> str:
        """The object's id, or an empty string where that is what went wrong."""
        try:
            return self._object_id(record)
        except Exception:  # noqa: BLE001 - the function may be the caller's own
            return ""

    def _written(self, record: SyncedRecord) -> str:
        try:
            return record_text(record, self._templates)
        except ManagedSyncError:
            raise
        except Exception as error:
            raise DocumentError(
                f"{self.title(record)} could not be written down: the template for "
                f"{record.sync_type} failed with {type(error).__name__}: {error}."
            ) from error

    def _check_size(self, record: SyncedRecord, size: int) -> None:
        if size > self.max_bytes:
            raise ContentTooLargeError(
                f"{self.title(record)} has {size:,} bytes; the limit is "
                f"{self.max_bytes:,}. Raise max_bytes to load it."
            )

    def _check_type(self, record: SyncedRecord, content: FileContent) -> None:
        declared = str(record.data.get("mimeType") or "")
        name = record_metadata.filename(record)
        if record.data.get("size") != len(content.data) and contradicts(
            content.content_type, declared, name
        ):
            raise ParsingError(
                f"{self.title(record)} is {declared}, and {content.content_type} came in its "
                f"place: perhaps a login page or an error. Try again, and look at the API's log."
            )

    def _document(self, record: SyncedRecord, text: str, mime_type: str) -> SourceDocument:
        metadata = record_metadata.metadata(
            record,
            object_id=self._object_id(record),
            project_id=self._project_id,
            mime_type=mime_type,
            templates=self._templates,
        )
        if tables := small_tables_html(text):
            metadata["tables_html"] = tables
        return SourceDocument(text, metadata)
