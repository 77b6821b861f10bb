"""Turns records and file content into documents, and documents into chunks.

Every name is loaded when it is first used: a process that parses files needs few of them. See
``docs/decisions/0002-light-import.md``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from managed_sync.lazy_names import load_name

if TYPE_CHECKING:
    from managed_sync.documents.chunking.chunker import Chunker
    from managed_sync.documents.chunking.external import SplitPiece
    from managed_sync.documents.loading.loader import DocumentLoader, LoadOptions
    from managed_sync.documents.loading.progress import LoadProgress
    from managed_sync.documents.loading.record_metadata import record_title
    from managed_sync.documents.loading.record_templates import (
        RecordTemplate,
        Templates,
        record_text,
    )
    from managed_sync.documents.loading.results import (
        Loaded,
        LoadFailure,
        RecordLoader,
        adocuments_only,
        documents_only,
    )
    from managed_sync.documents.loading.source import AsyncRecordSource, RecordSource
    from managed_sync.documents.metadata_condition import MetadataCondition
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
    from managed_sync.documents.stored_chunk import ChunkPlace

__all__ = [
    "AsyncRecordSource",
    "Chunk",
    "ChunkPlace",
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
    "MetadataCondition",
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

_MODULES = {
    "AsyncRecordSource": "loading.source",
    "Chunk": "model",
    "ChunkPlace": "stored_chunk",
    "Chunker": "chunking.chunker",
    "DocumentLoader": "loading.loader",
    "FileParser": "parsing.registry",
    "FilePart": "model",
    "KreuzbergParser": "parsing.registry",
    "LoadFailure": "loading.results",
    "LoadOptions": "loading.loader",
    "LoadProgress": "loading.progress",
    "Loaded": "loading.results",
    "Metadata": "model",
    "MetadataCondition": "metadata_condition",
    "ParsedFile": "parsing.base",
    "Parser": "parsing.base",
    "ParserChoice": "parsing.registry",
    "PdfStrategy": "parsing.parsers.unstructured",
    "RecordLoader": "loading.results",
    "RecordSource": "loading.source",
    "RecordTemplate": "loading.record_templates",
    "Scalar": "model",
    "SourceDocument": "model",
    "SplitPiece": "chunking.external",
    "Templates": "loading.record_templates",
    "UnstructuredParser": "parsing.registry",
    "adocuments_only": "loading.results",
    "documents_only": "loading.results",
    "parse": "parsing.registry",
    "record_text": "loading.record_templates",
    "record_title": "loading.record_metadata",
}


def __getattr__(name: str) -> Any:
    return load_name(__name__, _MODULES, name)


def __dir__() -> list[str]:
    return sorted(__all__)
