"""Chooses the parser for each file type, and parses any file into Markdown text.

See ``docs/decisions/0005-documents-parsers.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal, Protocol, TypeAlias

from managed_sync.documents.parsing.base import ParsedFile, Parser
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
from managed_sync.documents.parsing.parsers.archive import open_archive
from managed_sync.documents.parsing.parsers.doc.reader import parse_doc
from managed_sync.documents.parsing.parsers.epub import parse_epub
from managed_sync.documents.parsing.parsers.mail.calendar import calendar_text
from managed_sync.documents.parsing.parsers.mail.contacts import contacts_text
from managed_sync.documents.parsing.parsers.mail.mailbox import open_mailbox
from managed_sync.documents.parsing.parsers.mail.message import open_email
from managed_sync.documents.parsing.parsers.mail.outlook import open_outlook_message
from managed_sync.documents.parsing.parsers.mail.web_archive import parse_web_archive
from managed_sync.documents.parsing.parsers.markdown import parse_markdown
from managed_sync.documents.parsing.parsers.notebook import parse_notebook
from managed_sync.documents.parsing.parsers.ocr import check_languages, with_ocr
from managed_sync.documents.parsing.parsers.opendocument.text import parse_opendocument
from managed_sync.documents.parsing.parsers.pdf.reader import parse_pdf
from managed_sync.documents.parsing.parsers.rtf.reader import parse_rtf
from managed_sync.documents.parsing.parsers.slides.odp import parse_odp
from managed_sync.documents.parsing.parsers.slides.ppt import parse_ppt
from managed_sync.documents.parsing.parsers.slides.pptx import parse_pptx
from managed_sync.documents.parsing.parsers.web.drawing import parse_svg
from managed_sync.documents.parsing.parsers.web.html import parse_html
from managed_sync.documents.parsing.parsers.word.document import parse_word
from managed_sync.documents.parsing.parsers.workbooks.delimited import parse_csv
from managed_sync.documents.parsing.parsers.workbooks.ods import parse_ods
from managed_sync.documents.parsing.parsers.workbooks.xls import parse_xls
from managed_sync.documents.parsing.parsers.workbooks.xlsb import parse_xlsb
from managed_sync.documents.parsing.parsers.workbooks.xlsx import parse_xlsx
from managed_sync.documents.parsing.parts import Container, PartsReader
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
# What Word can embed as a part of its text.
_EMBEDDED = {FileType.HTML, FileType.TEXT, FileType.RTF, FileType.MHT}
# These are read by this package itself.
_OWN_FORMATS = {
    *(*_QUICK, FileType.HTML, FileType.MARKDOWN, FileType.ICS, FileType.VCF, FileType.EPUB),
    *(FileType.NOTEBOOK, FileType.SVG),
    *(FileType.EMAIL, FileType.MSG, FileType.MBOX, FileType.MHT, FileType.ARCHIVE),
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
_TEXT_READERS: Mapping[FileType, _TextReader] = {
    FileType.NOTEBOOK: parse_notebook,
    FileType.SVG: parse_svg,
}


_TEXTS: Mapping[FileType, Callable[[str], str]] = {
    FileType.CSV: parse_csv,
    FileType.ICS: calendar_text,
    FileType.VCF: contacts_text,
}


class FileParser:
    """A parser that reads each format with the library that keeps most of it.

    Each format is read by a small reader of this package on a library that keeps all of it.
    ``docs/benchmarks/parsing.md`` compares them. Subclasses use other libraries for some formats.

    Args:
        ocr: The languages of text in pictures and scans, in the codes of Tesseract, such as
            ``("eng", "deu")``. Without one, pictures and scans are not read. The data of the
            languages has to be installed; a page takes a second or more.

    Raises:
        ConfigurationError: ``ocr`` has something else in it.

    Examples:
        ```python
        ManagedSyncLoader(..., parser=FileParser(ocr=("eng",)), parse_timeout=600)
        ```
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
        FileType.PDF: parse_pdf,
    }
    _html: _TextReader = staticmethod(parse_html)
    _markdown: _TextReader = staticmethod(parse_markdown)
    _ocr = ""

    def __init__(self, *, ocr: Sequence[str] = ()) -> None:
        if languages := check_languages(ocr):
            self._ocr = "+".join(languages)
            self._readers = with_ocr(self._readers, languages)

    def __call__(
        self, data: bytes, *, content_type: str = "application/octet-stream", filename: str = ""
    ) -> str:
        """Returns the text of a file as Markdown, as a ``ParsedFile``; see :func:`parse`."""
        return self.read_file(data, content_type=content_type, filename=filename)

    def read_file(self, data: bytes, *, content_type: str, filename: str) -> ParsedFile:
        """Returns the text of a file, and of the files inside of it."""
        reader = PartsReader(self._text_of)
        return reader.file(data, content_type=content_type, filename=filename)

    def _text_of(self, data: bytes, content_type: str, filename: str, parts: PartsReader) -> str:
        """Returns the text of a file; its parts are left with the reader of parts."""
        name = display_name(filename, content_type)
        if not data.strip(b"\0 \t\r\n"):
            raise EmptyContentError(f"{name} is empty.")
        kind = detect_file_type(data, content_type=content_type, filename=filename)
        if kind not in self._readers and kind not in _OWN_FORMATS:
            raise no_reader(name, kind, image_type(data))
        if opened := self._opened(kind, data, name=name):
            text = parts.text_of(opened)
        else:
            text = self._read(kind, data, name=name, content_type=content_type, filename=filename)
        text = clean(text).strip(" \t\n")
        if not text.strip():
            is_scan = kind is FileType.PDF and not self._ocr
            scanned = " It seems to be a scan: FileParser(ocr=...) reads it." if is_scan else ""
            raise EmptyContentError(f"{name} has no text in it.{scanned}")
        return text + "\n"

    def is_quick(self, data: bytes, *, content_type: str, filename: str) -> bool:
        """Tells whether parsing the file costs less than sending it to another process."""
        if len(data) > _QUICK_BYTES:
            return False
        try:
            kind = detect_file_type(data, content_type=content_type, filename=filename)
        except DocumentError:
            return True
        if kind is FileType.MARKDOWN:
            return self._markdown is FileParser._markdown and len(data) <= _QUICK_MARKDOWN_BYTES
        return kind in _QUICK or (kind not in self._readers and kind not in _OWN_FORMATS)

    def _opened(self, kind: FileType, data: bytes, *, name: str) -> Container | None:
        """Returns a file that holds others, opened; ``None`` for any other file."""
        match kind:
            case _ if kind in self._readers:
                return None
            case FileType.EMAIL:
                return open_email(data, name=name, read_html=self._html)
            case FileType.MSG:
                return open_outlook_message(
                    data,
                    name=name,
                    read_html=self._html,
                    read_rtf=self._readers.get(FileType.RTF),
                )
            case FileType.MBOX:
                return open_mailbox(data, name=name)
            case FileType.ARCHIVE:
                return open_archive(data, name=name)
        return None

    def _read(
        self, kind: FileType, data: bytes, *, name: str, content_type: str, filename: str
    ) -> str:
        reader = self._readers.get(kind)
        if reader is parse_word:
            return parse_word(data, name=name, read_embedded=self._read_embedded)
        if reader is not None:
            return reader(data, name=name)
        if kind is FileType.MHT:
            return parse_web_archive(data, name=name, read_html=self._html)
        if kind is FileType.EPUB:
            return parse_epub(data, name=name, read_html=self._html)
        charset = parameter_of(content_type) or _declared_inside(kind, data)
        text = decode(data, name=name, charset=charset)
        return self._read_text(kind, text, name=name, filename=filename)

    def _read_embedded(self, data: bytes, content_type: str, name: str) -> str:
        """Returns the text of a document within a Word file; nothing if it is of another kind.

        Documents within it are left out, so that no file can contain itself.
        """
        kind = detect_file_type(data, content_type=content_type, filename=name)
        if kind is FileType.DOCX:
            return parse_word(data, name=name)
        if kind not in _EMBEDDED:
            return ""
        return self._read(kind, data, name=name, content_type=content_type, filename=name)

    def _read_text(self, kind: FileType, text: str, *, name: str, filename: str) -> str:
        if reader := _TEXT_READERS.get(kind):
            return reader(text, name=name)
        match kind:
            case FileType.HTML:
                # unstructured returns nothing for tags that are nested a thousand levels deep.
                return self._html(text, name=name).strip() or parse_html(text, name=name)
            case FileType.MARKDOWN:
                return self._markdown(text, name=name)
            case FileType.CODE:
                return text_parsers.parse_code(text, filename=filename)
        return _TEXTS.get(kind, text_parsers.parse_text)(text)


class KreuzbergParser(FileParser):
    r"""A parser that reads PDF, Office, OpenDocument, RTF and EPUB with ``kreuzberg``.

    Examples:
        >>> KreuzbergParser()(b"<h1>Hi</h1>", content_type="text/html")
        '# Hi\n'
    """

    _readers: Mapping[FileType, _BytesReader] = {**_KREUZBERG, FileType.DOC: parse_doc}


class UnstructuredParser(FileParser):
    """A parser that reads Office files, web pages and Markdown with ``unstructured``.

    PDF is read as by :class:`FileParser` unless you name a strategy, since ``unstructured`` needs
    PyTorch for it.

    Args:
        pdf_strategy: The strategy of ``unstructured`` for PDF: ``"fast"``, ``"hi_res"`` (finds the
            layout with a model), ``"ocr_only"`` (reads scans with Tesseract) or ``"auto"``. It
            needs the extra ``unstructured-pdf``, and ``unstructured`` downloads the models.
        languages: The languages of scans, in the codes of Tesseract.
        ocr: The languages of text in pictures and scans; see :class:`FileParser`.

    Raises:
        ConfigurationError: ``ocr`` has something else in it.

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
        ocr: Sequence[str] = (),
    ) -> None:
        self._readers = {**self._readers, **_UNSTRUCTURED}
        self._settings = ""
        if pdf_strategy:
            self._settings = f"pdf_strategy={pdf_strategy}, languages={'+'.join(languages)}"
            self._readers[FileType.PDF] = partial(
                unstructured.parse_pdf, strategy=pdf_strategy, languages=languages
            )
        super().__init__(ocr=ocr)
        if self._ocr:
            self._settings += f"{', ' if self._settings else ''}ocr={self._ocr}"

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
) -> ParsedFile:
    r"""Returns the text of a file as Markdown, with ``"\f"`` between pages, slides or sheets.

    Each format is read with the library that suits it; see :class:`FileParser`. Nothing is
    downloaded, and every error of a library becomes one of this package. The ``parts`` of the
    result are the files inside of the file, such as the attachments of an e-mail.

    Raises:
        EmptyContentError: There are no bytes, or no text in them, as in a scanned PDF.
        ParsingError: The file is damaged, encrypted, or of a type without text.
        MissingExtraError: The library that reads this format is not installed.

    Examples:
        >>> parse(b"# 1 egg\n", content_type="text/plain")
        '\\# 1 egg\n'
    """
    return _DEFAULT.read_file(data, content_type=content_type, filename=filename)


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
