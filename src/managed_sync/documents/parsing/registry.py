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
from managed_sync.documents.parsing.parsers.doc.reader import parse_doc
from managed_sync.documents.parsing.parsers.email import parse_email
from managed_sync.documents.parsing.parsers.epub import parse_epub
from managed_sync.documents.parsing.parsers.markdown import parse_markdown
from managed_sync.documents.parsing.parsers.opendocument.text import parse_opendocument
from managed_sync.documents.parsing.parsers.rtf.reader import parse_rtf
from managed_sync.documents.parsing.parsers.slides.odp import parse_odp
from managed_sync.documents.parsing.parsers.slides.ppt import parse_ppt
from managed_sync.documents.parsing.parsers.slides.pptx import parse_pptx
from managed_sync.documents.parsing.parsers.web.html import parse_html
from managed_sync.documents.parsing.parsers.word.document import parse_word
from managed_sync.documents.parsing.parsers.workbooks.delimited import parse_csv
from managed_sync.documents.parsing.parsers.workbooks.ods import parse_ods
from managed_sync.documents.parsing.parsers.workbooks.xls import parse_xls
from managed_sync.documents.parsing.parsers.workbooks.xlsb import parse_xlsb
from managed_sync.documents.parsing.parsers.workbooks.xlsx import parse_xlsx
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
_QUICK = {FileType.TEXT, FileType.CODE, FileType.CSV}
# These have no reader of their own yet, and are text.
_PLAIN = {
    FileType.NOTEBOOK: FileType.CODE,
    FileType.SVG: FileType.CODE,
    FileType.MBOX: FileType.TEXT,
    FileType.ICS: FileType.TEXT,
    FileType.VCF: FileType.TEXT,
    FileType.MHT: FileType.EMAIL,
}
# Read here, or by this package with the parser of web pages.
_TEXT_FORMATS = {*_QUICK, FileType.HTML, FileType.MARKDOWN, FileType.EMAIL, FileType.EPUB}
# What Word can embed as a part of its text.
_EMBEDDED = {FileType.HTML, FileType.TEXT, FileType.RTF, FileType.MHT}


class _BytesReader(Protocol):
    def __call__(self, data: bytes, *, name: str) -> str: ...


class _TextReader(Protocol):
    def __call__(self, text: str, *, name: str) -> str: ...


_KREUZBERG: Mapping[FileType, _BytesReader] = {
    FileType.PDF: kreuzberg.parse_pdf,
    FileType.DOCX: partial(kreuzberg.parse_document, kind=FileType.DOCX),
    FileType.PPTX: partial(kreuzberg.parse_slides, kind=FileType.PPTX),
    FileType.XLSX: partial(kreuzberg.parse_workbook, kind=FileType.XLSX),
    FileType.PPT: partial(kreuzberg.parse_slides, kind=FileType.PPT),
    FileType.XLSB: partial(kreuzberg.parse_workbook, kind=FileType.XLSB),
    FileType.XLS: partial(kreuzberg.parse_workbook, kind=FileType.XLS),
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


class FileParser:
    """A parser that reads each format with the library that keeps most of it.

    PDF is read with ``kreuzberg``; everything else by this package itself.
    ``docs/benchmarks/parsing.md`` compares them. Subclasses use other libraries for some formats.
    """

    _readers: Mapping[FileType, _BytesReader] = {
        **{kind: reader for kind, reader in _KREUZBERG.items() if kind is not FileType.EPUB},
        FileType.DOCX: parse_word,
        FileType.ODT: parse_opendocument,
        FileType.RTF: parse_rtf,
        FileType.DOC: parse_doc,
        FileType.PPTX: parse_pptx,
        FileType.PPT: parse_ppt,
        FileType.XLSX: parse_xlsx,
        FileType.XLSB: parse_xlsb,
        FileType.XLS: parse_xls,
        FileType.ODS: parse_ods,
        FileType.ODP: parse_odp,
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
            return self._markdown is FileParser._markdown
        return kind in _QUICK or (kind not in self._readers and kind not in _TEXT_FORMATS)

    def _kind(self, data: bytes, content_type: str, filename: str) -> FileType:
        kind = detect_file_type(data, content_type=content_type, filename=filename)
        return kind if kind in self._readers else _PLAIN.get(kind, kind)

    def _read(
        self, kind: FileType, data: bytes, *, name: str, content_type: str, filename: str
    ) -> str:
        reader = self._readers.get(kind)
        if reader is parse_word:
            return parse_word(data, name=name, read_embedded=self._read_embedded)
        if reader is not None:
            return reader(data, name=name)
        if kind is FileType.EPUB:
            return parse_epub(data, name=name, read_html=self._html)
        if kind is FileType.EMAIL:
            return parse_email(data, name=name, read_html=self._html)
        charset = parameter_of(content_type) or _declared_inside(kind, data)
        text = decode(data, name=name, charset=charset)
        return self._read_text(kind, text, name=name, filename=filename)

    def _read_embedded(self, data: bytes, content_type: str, name: str) -> str:
        """Returns the text of a document within a Word file; nothing if it is of another kind.

        Documents within it are left out, so that no file can contain itself.
        """
        kind = self._kind(data, content_type, name)
        if kind is FileType.DOCX:
            return parse_word(data, name=name)
        if kind not in _EMBEDDED:
            return ""
        return self._read(kind, data, name=name, content_type=content_type, filename=name)

    def _read_text(self, kind: FileType, text: str, *, name: str, filename: str) -> str:
        match kind:
            case FileType.HTML:
                # unstructured returns nothing for tags that are nested a thousand levels deep.
                return self._html(text, name=name).strip() or parse_html(text, name=name)
            case FileType.MARKDOWN:
                return self._markdown(text, name=name)
            case FileType.CSV:
                return parse_csv(text)
            case FileType.CODE:
                return text_parsers.parse_code(text, filename=filename)
        return text_parsers.parse_text(text)


class KreuzbergParser(FileParser):
    r"""A parser that reads every format with ``kreuzberg`` if possible: the fastest choice.

    Examples:
        >>> KreuzbergParser()(b"<h1>Hi</h1>", content_type="text/html")
        '# Hi\n'
    """

    _readers: Mapping[FileType, _BytesReader] = {**_KREUZBERG, FileType.DOC: parse_doc}


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
        self._readers = {**self._readers, **_UNSTRUCTURED}
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
