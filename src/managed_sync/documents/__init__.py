"""From records and file content to documents, and from documents to chunks."""

from managed_sync.documents.chunking import Chunker
from managed_sync.documents.load_progress import LoadProgress
from managed_sync.documents.load_results import (
    Loaded,
    LoadFailure,
    adocuments_only,
    documents_only,
)
from managed_sync.documents.loading import DocumentLoader, LoadOptions
from managed_sync.documents.parser import Parser
from managed_sync.documents.parsing import (
    KreuzbergParser,
    ParserChoice,
    UnstructuredParser,
    parse,
)
from managed_sync.documents.record_source import AsyncRecordSource, RecordSource
from managed_sync.documents.records_as_text import RecordTemplate, record_text, record_title
from managed_sync.documents.source_document import Chunk, SourceDocument

__all__ = [
    "AsyncRecordSource",
    "Chunk",
    "Chunker",
    "DocumentLoader",
    "KreuzbergParser",
    "LoadFailure",
    "LoadOptions",
    "LoadProgress",
    "Loaded",
    "Parser",
    "ParserChoice",
    "RecordSource",
    "RecordTemplate",
    "SourceDocument",
    "UnstructuredParser",
    "adocuments_only",
    "documents_only",
    "parse",
    "record_text",
    "record_title",
]
