"""From records and file content to documents, and from documents to chunks."""

from managed_sync.documents.chunking.chunker import Chunker
from managed_sync.documents.chunking.external import Piece
from managed_sync.documents.loading.loader import DocumentLoader, LoadOptions
from managed_sync.documents.loading.progress import LoadProgress
from managed_sync.documents.loading.record_templates import (
    RecordTemplate,
    record_text,
    record_title,
)
from managed_sync.documents.loading.results import (
    Loaded,
    LoadFailure,
    adocuments_only,
    documents_only,
)
from managed_sync.documents.loading.source import AsyncRecordSource, RecordSource
from managed_sync.documents.model import Chunk, Metadata, Scalar, SourceDocument
from managed_sync.documents.parsing.base import Parser
from managed_sync.documents.parsing.parsers.unstructured_pdf import PdfStrategy
from managed_sync.documents.parsing.registry import (
    KreuzbergParser,
    ParserChoice,
    UnstructuredParser,
    parse,
)

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
    "Metadata",
    "Parser",
    "ParserChoice",
    "PdfStrategy",
    "Piece",
    "RecordSource",
    "RecordTemplate",
    "Scalar",
    "SourceDocument",
    "UnstructuredParser",
    "adocuments_only",
    "documents_only",
    "parse",
    "record_text",
    "record_title",
]
