"""From the bytes of a file to Markdown text, whatever the format: which reader reads what."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal, Protocol, TypeAlias

from managed_sync.documents.parsing.base import Parser
from managed_sync.documents.parsing.decoding import decode
from managed_sync.documents.parsing.file_types import FileType, detect_file_type, display_name
from managed_sync.documents.parsing.markdown_writer import clean
from managed_sync.documents.parsing.parsers import kreuzberg as kreuzberg_parser
from managed_sync.documents.parsing.parsers import text as plain_parser
from managed_sync.documents.parsing.parsers import unstructured as unstructured_parser
from managed_sync.documents.parsing.parsers.email import parse_email
from managed_sync.documents.parsing.parsers.html_text import bare_text
from managed_sync.documents.parsing.parsers.markdown import parse_markdown
from managed_sync.documents.parsing.parsers.unstructured_pdf import PdfStrategy, parse_pdf
from managed_sync.errors import ConfigurationError, DocumentError, EmptyContentError

__all__ = [
    "FileParser",
    "KreuzbergParser",
    "ParserChoice",
    "UnstructuredParser",
    "chosen_parser",
    "parse",
]

ParserChoice: TypeAlias = Parser | Literal["unstructured", "kreuzberg"]

# What is text already is read in time that grows with its size only: a second for some megabytes.
_QUICK_BYTES = 512 * 1024
_QUICK = {FileType.TEXT, FileType.CODE, FileType.CSV}


class _BytesReader(Protocol):
    def __call__(self, data: bytes, *, name: str) -> str: ...


class _TextReader(Protocol):
    def __call__(self, text: str, *, name: str) -> str: ...


def _read_markdown(text: str, *, name: str) -> str:
    return parse_markdown(text)


_KREUZBERG: Mapping[FileType, _BytesReader] = {
    FileType.PDF: kreuzberg_parser.parse_pdf,
    FileType.DOCX: partial(kreuzberg_parser.parse_document, kind=FileType.DOCX),
    FileType.PPTX: partial(kreuzberg_parser.parse_slides, kind=FileType.PPTX),
    FileType.XLSX: partial(kreuzberg_parser.parse_workbook, kind=FileType.XLSX),
    FileType.RTF: partial(kreuzberg_parser.parse_document, kind=FileType.RTF),
    FileType.ODT: partial(kreuzberg_parser.parse_document, kind=FileType.ODT),
    FileType.ODS: partial(kreuzberg_parser.parse_workbook, kind=FileType.ODS),
    FileType.ODP: partial(kreuzberg_parser.parse_slides, kind=FileType.ODP),
    FileType.EPUB: partial(kreuzberg_parser.parse_document, kind=FileType.EPUB),
}
_UNSTRUCTURED: Mapping[FileType, _BytesReader] = {
    FileType.DOCX: unstructured_parser.parse_docx,
    FileType.PPTX: unstructured_parser.parse_pptx,
    FileType.XLSX: unstructured_parser.parse_xlsx,
}


class FileParser:
    """Reads each format with the reader that keeps most of it; see ``docs/benchmarks/parsing.md``.

    Word and PowerPoint are read with ``unstructured``; Excel, PDF, web pages, OpenDocument, RTF
    and EPUB with ``kreuzberg``; e-mail, CSV, Markdown, code and plain text by this package itself.
    Subclasses read some formats with other readers.
    """

    _readers: Mapping[FileType, _BytesReader] = {
        **_KREUZBERG,
        # kreuzberg loses the lists of the one and the notes of the other.
        FileType.DOCX: unstructured_parser.parse_docx,
        FileType.PPTX: unstructured_parser.parse_pptx,
    }
    _html: _TextReader = staticmethod(kreuzberg_parser.parse_html)
    _markdown: _TextReader = staticmethod(_read_markdown)

    def __call__(
        self, data: bytes, *, content_type: str = "application/octet-stream", filename: str = ""
    ) -> str:
        """The text of a file as Markdown; see :func:`parse`."""
        name = display_name(filename, content_type)
        if not data.strip(b"\0 \t\r\n"):
            raise EmptyContentError(f"{name} is empty.")
        kind = detect_file_type(data, content_type=content_type, filename=filename)
        text = clean(self._read(kind, data, name=name, filename=filename)).strip(" \t\n")
        if not text.strip():
            scanned = " It seems to be a scan: only pictures." if kind is FileType.PDF else ""
            raise EmptyContentError(f"{name} has no text in it.{scanned}")
        return text + "\n"

    def is_quick(self, data: bytes, *, content_type: str, filename: str) -> bool:
        """Whether the file costs so little that sending it to another process is not worth it."""
        if len(data) > _QUICK_BYTES:
            return False
        try:
            kind = detect_file_type(data, content_type=content_type, filename=filename)
        except DocumentError:
            return True
        return kind in _QUICK or (
            kind is FileType.MARKDOWN and self._markdown is FileParser._markdown
        )

    def _read(self, kind: FileType, data: bytes, *, name: str, filename: str) -> str:
        if reader := self._readers.get(kind):
            return reader(data, name=name)
        if kind is FileType.EMAIL:
            return parse_email(data, name=name, read_html=self._html)
        return self._read_text(kind, decode(data, name=name), name=name, filename=filename)

    def _read_text(self, kind: FileType, text: str, *, name: str, filename: str) -> str:
        match kind:
            case FileType.HTML:
                # Parsers give up on tags that are nested a thousand deep, and say nothing.
                return self._html(text, name=name).strip() or bare_text(text)
            case FileType.MARKDOWN:
                return self._markdown(text, name=name)
            case FileType.CSV:
                return plain_parser.parse_csv(text)
            case FileType.CODE:
                return plain_parser.parse_code(text, filename=filename)
        return plain_parser.parse_text(text)


class KreuzbergParser(FileParser):
    r"""Reads whatever ``kreuzberg`` reads with it: the fastest choice.

    Examples:
        >>> KreuzbergParser()(b"<h1>Hi</h1>", content_type="text/html")
        '# Hi\n'
    """

    _readers = _KREUZBERG


class UnstructuredParser(FileParser):
    """Reads whatever ``unstructured`` reads by itself with it.

    Its PDF part needs PyTorch, so PDF is read with ``kreuzberg`` unless a strategy is named.

    Args:
        pdf_strategy: How ``unstructured`` reads PDF: ``"fast"``, ``"hi_res"`` (finds the layout
            with a model), ``"ocr_only"`` (reads scans with Tesseract) or ``"auto"``. Needs the
            extra ``unstructured-pdf``; models are downloaded by ``unstructured`` itself.
        languages: The languages of scans, as Tesseract calls them.

    Examples:
        ```python
        ManagedSyncLoader(..., parser=UnstructuredParser(pdf_strategy="ocr_only"))
        ```
    """

    _html = staticmethod(unstructured_parser.parse_html)
    _markdown = staticmethod(unstructured_parser.parse_markdown)

    def __init__(
        self, *, pdf_strategy: PdfStrategy | None = None, languages: tuple[str, ...] = ("eng",)
    ) -> None:
        self._readers = {**_KREUZBERG, **_UNSTRUCTURED}
        self._settings = ""
        if pdf_strategy:
            self._settings = f"pdf_strategy={pdf_strategy}, languages={'+'.join(languages)}"
            self._readers[FileType.PDF] = partial(
                parse_pdf, strategy=pdf_strategy, languages=languages
            )

    @property
    def fingerprint(self) -> str:
        """What decides the text; an index notices when it changes."""
        return f"UnstructuredParser({self._settings})"


_DEFAULT = FileParser()


def parse(
    data: bytes, *, content_type: str = "application/octet-stream", filename: str = ""
) -> str:
    r"""The text of a file as Markdown, with ``"\f"`` where a page, slide or sheet begins.

    Each format is read by the reader that suits it; see :class:`FileParser`. Nothing is
    downloaded, and no error of a library gets out.

    Raises:
        EmptyContentError: There are no bytes, or no text in them (a scanned PDF, for instance).
        ParsingError: The file is damaged, encrypted, or of a type without text.
        MissingExtraError: The library that reads this format is not installed.

    Examples:
        >>> parse(b"# 1 egg\n", content_type="text/plain")
        '\\# 1 egg\n'
    """
    return _DEFAULT(data, content_type=content_type, filename=filename)


def chosen_parser(choice: ParserChoice | None) -> Parser:
    """The parser that a name, a parser, or ``None`` stands for.

    Raises:
        ConfigurationError: There is no parser of that name.
    """
    if choice is None:
        return _DEFAULT
    if not isinstance(choice, str):
        return choice
    if choice == "kreuzberg":
        return KreuzbergParser()
    if choice == "unstructured":
        return UnstructuredParser()
    raise ConfigurationError(
        f"There is no parser {choice!r}; use 'unstructured', 'kreuzberg', or a parser of your own."
    )
