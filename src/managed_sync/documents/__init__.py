"""From records and file content to documents, and from documents to chunks."""

from managed_sync.documents.chunking import Chunker
from managed_sync.documents.loading import DocumentLoader, LoadFailure, RecordSource, documents_only
from managed_sync.documents.parsing import Parser, parse
from managed_sync.documents.records_as_text import record_text, record_title
from managed_sync.documents.source_document import Chunk, SourceDocument

__all__ = [
    "Chunk",
    "Chunker",
    "DocumentLoader",
    "LoadFailure",
    "Parser",
    "RecordSource",
    "SourceDocument",
    "documents_only",
    "parse",
    "record_text",
    "record_title",
]
