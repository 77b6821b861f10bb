"""Turns records and file content into documents, and documents into chunks."""

from managed_sync.documents.chunking.chunker import Chunker
from managed_sync.documents.chunking.external import SplitPiece
from managed_sync.documents.loading.loader import DocumentLoader, LoadOptions
from managed_sync.documents.loading.progress import LoadProgress
from managed_sync.documents.loading.record_metadata import record_title
from managed_sync.documents.loading.record_templates import RecordTemplate, Templates, record_text
from managed_sync.documents.loading.results import (
    Loaded,
    LoadFailure,
    RecordLoader,
    adocuments_only,
    documents_only,
)
from managed_sync.documents.loading.source import AsyncRecordSource, RecordSource
from managed_sync.documents.model import Chunk, FilePart, Metadata, Scalar, SourceDocument
from managed_sync.documents.parsing.base import ParsedFile, Parser
from managed_sync.documents.parsing.parsers.unstructured import PdfStrategy
from managed_sync.documents.parsing.registry import (
    FileParser,
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
    "FileParser",
    "FilePart",
    "KreuzbergParser",
    "LoadFailure",
    "LoadOptions",
    "LoadProgress",
    "Loaded",
    "Metadata",
    "ParsedFile",
    "Parser",
    "ParserChoice",
    "PdfStrategy",
    "RecordLoader",
    "RecordSource",
    "RecordTemplate",
    "Scalar",
    "SourceDocument",
    "SplitPiece",
    "Templates",
    "UnstructuredParser",
    "adocuments_only",
    "documents_only",
    "parse",
    "record_text",
    "record_title",
]
