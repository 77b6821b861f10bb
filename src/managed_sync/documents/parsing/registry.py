"""Chooses the parser for each file type, and parses any file into Markdown text.

See ``docs/decisions/0005-documents-parsers.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Literal, Protocol, TypeAlias

from managed_sync.documents.parsing.base import Parser
from managed_sync.documents.parsing.charsets import (
    declared_in_page,
    declared_in_source,
    parameter_of,
)
from managed_sync.documents.parsing.decoding import decode
from managed_sync.documents.parsing.detection.detector import detect_file_type
from managed_sync.documents.parsing.detection.refusals import no_reader
from managed_sync.documents.parsing.detection.signatures import image_type
from managed_sync.documents.parsing.file_types import FileType, display_name
from managed_sync.documents.parsing.markdown_writer import clean
from managed_sync.documents.parsing.parsers import kreuzberg, unstructured
from managed_sync.documents.parsing.parsers import text as text_parsers
from managed_sync.documents.parsing.parsers.email import parse_email
from managed_sync.documents.parsing.parsers.markdown import parse_markdown
from managed_sync.documents.parsing.parsers.notebook import parse_notebook
from managed_sync.documents.parsing.parsers.web.drawing import parse_svg
from managed_sync.documents.parsing.parsers.web.html import parse_html
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

# Text formats are parsed in time proportional to their size: some megabytes in a second.
_QUICK_BYTES = 512 * 1024
# Each HTML block in Markdown costs as much as some hundred letters.
_QUICK_MARKDOWN_BYTES = 64 * 1024
_QUICK = {FileType.TEXT, FileType.CODE, FileType.CSV}
# These have no reader of their own yet, and are text.
_PLAIN = {
    FileType.MBOX: FileType.TEXT,
    FileType.ICS: FileType.TEXT,
    FileType.VCF: FileType.TEXT,
    FileType.MHT: FileType.EMAIL,
}
_TEXT_FORMATS = {*_QUICK, FileType.EMAIL, FileType.HTML, FileType.MARKDOWN} | {
    *(FileType.NOTEBOOK, FileType.SVG)
}


class _BytesReader(Protocol):
    def __call__(self, data: bytes, *, name: str) -> str: ...


class _TextReader(Protocol):
    def __call__(self, text: str, *, name: str) -> str: ...


_KREUZBERG: Mapping[FileType, _BytesReader] = {
    FileType.PDF: kreuzberg.parse_pdf,
    FileType.DOCX: partial(kreuzberg.parse_document, kind=FileType.DOCX),
    FileType.PPTX: partial(kreuzberg.parse_slides, kind=FileType.PPTX),
    FileType.XLSX: partial(kreuzberg.parse_workbook, kind=FileType.XLSX),
    FileType.RTF: partial(kreuzberg.parse_document, kind=FileType.RTF),
    FileType.ODT: partial(kreuzberg.parse_document, kind=FileType.ODT),
    FileType.ODS: partial(kreuzberg.parse_workbook, kind=FileType.ODS),
    FileType.ODP: partial(kreuzberg.parse_slides, kind=FileType.ODP),
    FileType.EPUB: partial(kreuzberg.parse_document, kind=FileType.EPUB),
}
_UNSTRUCTURED: Mapping[FileType, _BytesReader] = {
    FileType.DOCX: unstructured.parse_docx,
    FileType.PPTX: unstructured.parse_pptx,
    FileType.XLSX: unstructured.parse_xlsx,
}
_TEXT_READERS: Mapping[FileType, _TextReader] = {
    FileType.NOTEBOOK: parse_notebook,
    FileType.SVG: parse_svg,
}


class FileParser:
    """A parser that reads each format with the library that keeps most of it.

    Word and PowerPoint are read with ``unstructured``; Excel, PDF, OpenDocument, RTF and EPUB with
    ``kreuzberg``; web pages, notebooks, e-mail, CSV, Markdown, code and plain text by this package
    itself.
    ``docs/benchmarks/parsing.md`` compares them. Subclasses use other libraries for some formats.
    """

    _readers: Mapping[FileType, _BytesReader] = {
        **_KREUZBERG,
        # kreuzberg loses the lists of Word files and the notes of slides.
        FileType.DOCX: unstructured.parse_docx,
        FileType.PPTX: unstructured.parse_pptx,
    }
    _html: _TextReader = staticmethod(parse_html)
    _markdown: _TextReader = staticmethod(parse_markdown)

    def __call__(
        self, data: bytes, *, content_type: str = "application/octet-stream", filename: str = ""
    ) -> str:
        """Returns the text of a file as Markdown; see :func:`parse`."""
        name = display_name(filename, content_type)
        if not data.strip(b"\0 \t\r\n"):
            raise EmptyContentError(f"{name} is empty.")
        kind = self._kind(data, content_type, filename)
        if kind not in self._readers and kind not in _TEXT_FORMATS:
            raise no_reader(name, kind, image_type(data))
        text = self._read(kind, data, name=name, content_type=content_type, filename=filename)
        text = clean(text).strip(" \t\n")
        if not text.strip():
            scanned = " It seems to be a scan, with pictures only." if kind is FileType.PDF else ""
            raise EmptyContentError(f"{name} has no text in it.{scanned}")
        return text + "\n"

    def is_quick(self, data: bytes, *, content_type: str, filename: str) -> bool:
        """Tells whether parsing the file costs less than sending it to another process."""
        if len(data) > _QUICK_BYTES:
            return False
        try:
            kind = self._kind(data, content_type, filename)
        except DocumentError:
            return True
        if kind is FileType.MARKDOWN:
            return self._markdown is FileParser._markdown and len(data) <= _QUICK_MARKDOWN_BYTES
        return kind in _QUICK or (kind not in self._readers and kind not in _TEXT_FORMATS)

    def _kind(self, data: bytes, content_type: str, filename: str) -> FileType:
        kind = detect_file_type(data, content_type=content_type, filename=filename)
        return kind if kind in self._readers else _PLAIN.get(kind, kind)

    def _read(
        self, kind: FileType, data: bytes, *, name: str, content_type: str, filename: str
    ) -> str:
        if reader := self._readers.get(kind):
            return reader(data, name=name)
        if kind is FileType.EMAIL:
            return parse_email(data, name=name, read_html=self._html)
        charset = parameter_of(content_type) or _declared_inside(kind, data)
        text = decode(data, name=name, charset=charset)
        return self._read_text(kind, text, name=name, filename=filename)

    def _read_text(self, kind: FileType, text: str, *, name: str, filename: str) -> str:
        if reader := _TEXT_READERS.get(kind):
            return reader(text, name=name)
        match kind:
            case FileType.HTML:
                # unstructured returns nothing for tags that are nested a thousand levels deep.
                return self._html(text, name=name).strip() or parse_html(text, name=name)
            case FileType.MARKDOWN:
                return self._markdown(text, name=name)
            case FileType.CSV:
                return text_parsers.parse_csv(text)
            case FileType.CODE:
                return text_parsers.parse_code(text, filename=filename)
        return text_parsers.parse_text(text)


class KreuzbergParser(FileParser):
    r"""A parser that reads PDF, Office, OpenDocument, RTF and EPUB with ``kreuzberg``.

    Examples:
        >>> KreuzbergParser()(b"<h1>Hi</h1>", content_type="text/html")
        '# Hi\n'
    """

    _readers = _KREUZBERG


class UnstructuredParser(FileParser):
    """A parser that reads Office files, web pages and Markdown with ``unstructured``.

    PDF is read with ``kreuzberg`` unless you name a strategy, since ``unstructured`` needs PyTorch
    for it.

    Args:
        pdf_strategy: The strategy of ``unstructured`` for PDF: ``"fast"``, ``"hi_res"`` (finds the
            layout with a model), ``"ocr_only"`` (reads scans with Tesseract) or ``"auto"``. It
            needs the extra ``unstructured-pdf``, and ``unstructured`` downloads the models.
        languages: The languages of scans, in the codes of Tesseract.

    Examples:
        ```python
        ManagedSyncLoader(..., parser=UnstructuredParser(pdf_strategy="ocr_only"))
        ```
    """

    _html = staticmethod(unstructured.parse_html)
    _markdown = staticmethod(unstructured.parse_markdown)

    def __init__(
        self,
        *,
        pdf_strategy: unstructured.PdfStrategy | None = None,
        languages: tuple[str, ...] = ("eng",),
    ) -> None:
        self._readers = {**_KREUZBERG, **_UNSTRUCTURED}
        self._settings = ""
        if pdf_strategy:
            self._settings = f"pdf_strategy={pdf_strategy}, languages={'+'.join(languages)}"
            self._readers[FileType.PDF] = partial(
                unstructured.parse_pdf, strategy=pdf_strategy, languages=languages
            )

    @property
    def fingerprint(self) -> str:
        """The settings that decide the text; an index notices when they change."""
        return f"UnstructuredParser({self._settings})"


def _declared_inside(kind: FileType, data: bytes) -> str:
    if kind is FileType.HTML:
        return declared_in_page(data)
    return declared_in_source(data) if kind in {FileType.CODE, FileType.SVG} else ""


_DEFAULT = FileParser()


def parse(
    data: bytes, *, content_type: str = "application/octet-stream", filename: str = ""
) -> str:
    r"""Returns the text of a file as Markdown, with ``"\f"`` between pages, slides or sheets.

    Each format is read with the library that suits it; see :class:`FileParser`. Nothing is
    downloaded, and every error of a library becomes one of this package.

    Raises:
        EmptyContentError: There are no bytes, or no text in them, as in a scanned PDF.
        ParsingError: The file is damaged, encrypted, or of a type without text.
        MissingExtraError: The library that reads this format is not installed.

    Examples:
        >>> parse(b"# 1 egg\n", content_type="text/plain")
        '\\# 1 egg\n'
    """
    return _DEFAULT(data, content_type=content_type, filename=filename)


def chosen_parser(choice: ParserChoice | None) -> Parser:
    """Returns the parser for a name, for a parser of the caller, or for ``None``.

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
        f"parser must be 'unstructured', 'kreuzberg', or a parser of your own, got {choice!r}."
    )
