"""Lists the readers of each parser, one for each type of file.

A reader takes a :class:`File` and returns its text, or the file opened if it holds others. See
``docs/decisions/0005-documents-parsers.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeAlias

from managed_sync.documents.parsing.charsets import (
    declared_in_page,
    declared_in_source,
    parameter_of,
)
from managed_sync.documents.parsing.decoding import decode
from managed_sync.documents.parsing.detection.detector import detect_file_type
from managed_sync.documents.parsing.file_types import FileType, is_json
from managed_sync.documents.parsing.parsers import kreuzberg, unstructured
from managed_sync.documents.parsing.parsers.archive import open_archive
from managed_sync.documents.parsing.parsers.doc.reader import parse_doc
from managed_sync.documents.parsing.parsers.epub import parse_epub
from managed_sync.documents.parsing.parsers.json_text import unescape_json
from managed_sync.documents.parsing.parsers.mail.calendar import calendar_text
from managed_sync.documents.parsing.parsers.mail.contacts import contacts_text
from managed_sync.documents.parsing.parsers.mail.mailbox import open_mailbox
from managed_sync.documents.parsing.parsers.mail.message import open_email
from managed_sync.documents.parsing.parsers.mail.outlook import open_outlook_message
from managed_sync.documents.parsing.parsers.mail.web_archive import parse_web_archive
from managed_sync.documents.parsing.parsers.markdown import parse_markdown
from managed_sync.documents.parsing.parsers.notebook import parse_notebook
from managed_sync.documents.parsing.parsers.ocr import read_picture, read_scans
from managed_sync.documents.parsing.parsers.opendocument.text import parse_opendocument
from managed_sync.documents.parsing.parsers.pdf.reader import parse_pdf
from managed_sync.documents.parsing.parsers.rtf.reader import parse_rtf
from managed_sync.documents.parsing.parsers.slides.odp import parse_odp
from managed_sync.documents.parsing.parsers.slides.ppt import parse_ppt
from managed_sync.documents.parsing.parsers.slides.pptx import parse_pptx
from managed_sync.documents.parsing.parsers.text import parse_code, parse_text
from managed_sync.documents.parsing.parsers.web.drawing import parse_svg
from managed_sync.documents.parsing.parsers.web.html import parse_html
from managed_sync.documents.parsing.parsers.word.document import parse_word
from managed_sync.documents.parsing.parsers.workbooks.delimited import parse_csv
from managed_sync.documents.parsing.parsers.workbooks.ods import parse_ods
from managed_sync.documents.parsing.parsers.workbooks.xls import parse_xls
from managed_sync.documents.parsing.parsers.workbooks.xlsb import parse_xlsb
from managed_sync.documents.parsing.parsers.workbooks.xlsx import parse_xlsx
from managed_sync.documents.parsing.parts import Container

__all__ = ["KREUZBERG", "OWN", "UNSTRUCTURED", "File", "Reader", "with_ocr", "with_pdf_strategy"]

Reader: TypeAlias = Callable[["File"], str | Container]

# What Word can embed as a part of its text, without the Word files themselves.
_EMBEDDED = {FileType.HTML, FileType.TEXT, FileType.RTF, FileType.MHT}


@dataclass(frozen=True, slots=True)
class File:
    """A file to be read.

    Attributes:
        data: Its bytes.
        kind: Its type.
        name: Its name in error messages.
        content_type: The type that its source states.
        filename: The name that its source states; it may be empty.
        readers: The readers of the parser, by which a reader reads what lies inside of the file.
        decoded: Its text, if that is known already.
    """

    data: bytes
    kind: FileType
    name: str
    content_type: str
    filename: str
    readers: Mapping[FileType, Reader]
    decoded: str | None = None

    def read(self) -> str | Container:
        """Returns the text of the file, or the file opened if it holds others."""
        return self.readers[self.kind](self)

    def text(self) -> str:
        """Returns the bytes as text, by the charset that the source or the file itself states.

        Raises:
            ParsingError: The bytes are not text.
        """
        if self.decoded is not None:
            return self.decoded
        charset = parameter_of(self.content_type)
        if not charset and self.kind is FileType.HTML:
            charset = declared_in_page(self.data)
        elif not charset and self.kind in {FileType.CODE, FileType.SVG}:
            charset = declared_in_source(self.data)
        return decode(self.data, name=self.name, charset=charset)

    def read_html(self, text: str, *, name: str) -> str:
        """Returns the Markdown of a page inside of this file."""
        return _text(replace(self, kind=FileType.HTML, name=name, decoded=text).read())

    def read_rtf(self, data: bytes, *, name: str) -> str:
        """Returns the Markdown of an RTF text inside of this file."""
        return _text(replace(self, kind=FileType.RTF, name=name, data=data).read())

    def read_embedded(self, data: bytes, content_type: str, name: str) -> str:
        """Returns the text of a document within a Word file; nothing if it is of another kind.

        Documents within a Word file within this one are left out, so that no file can contain
        itself.
        """
        kind = detect_file_type(data, content_type=content_type, filename=name)
        if kind is FileType.DOCX:
            return parse_word(data, name=name)
        if kind not in _EMBEDDED:
            return ""
        inner = replace(
            self, kind=kind, data=data, content_type=content_type, name=name, filename=name
        )
        return _text(inner.read())


class _WithName(Protocol):
    def __call__(self, data: bytes, *, name: str) -> str | Container: ...


class _WithKind(Protocol):
    def __call__(self, data: bytes, kind: FileType, *, name: str) -> str: ...


class _WithHtml(Protocol):
    def __call__(
        self, data: bytes, *, name: str, read_html: Callable[..., str]
    ) -> str | Container: ...


class _OfText(Protocol):
    def __call__(self, text: str, *, name: str) -> str: ...


# Partial functions of these, unlike functions made by a function, can go to worker processes.
def _with_name(parse: _WithName, file: File) -> str | Container:
    return parse(file.data, name=file.name)


def _with_kind(parse: _WithKind, file: File) -> str:
    return parse(file.data, file.kind, name=file.name)


def _with_html(parse: _WithHtml, file: File) -> str | Container:
    return parse(file.data, name=file.name, read_html=file.read_html)


def _of_text(parse: _OfText, file: File) -> str:
    return parse(file.text(), name=file.name)


def _of_plain_text(parse: Callable[[str], str], file: File) -> str:
    return parse(file.text())


def _text(read: str | Container) -> str:
    return read if isinstance(read, str) else read.text


def _code(file: File) -> str:
    text = file.text()
    if is_json(file.content_type, file.filename):
        text = unescape_json(text)
    return parse_code(text, filename=file.filename)


def _word(file: File) -> str:
    return parse_word(file.data, name=file.name, read_embedded=file.read_embedded)


def _outlook(file: File) -> Container:
    return open_outlook_message(
        file.data, name=file.name, read_html=file.read_html, read_rtf=file.read_rtf
    )


def _html_of_unstructured(text: str, *, name: str) -> str:
    # unstructured returns nothing for tags that are nested a thousand levels deep.
    return unstructured.parse_html(text, name=name).strip() or parse_html(text, name=name)


OWN: Mapping[FileType, Reader] = {
    FileType.PDF: partial(_with_name, parse_pdf),
    FileType.DOCX: _word,
    FileType.DOC: partial(_with_name, parse_doc),
    FileType.ODT: partial(_with_name, parse_opendocument),
    FileType.RTF: partial(_with_name, parse_rtf),
    FileType.EPUB: partial(_with_html, parse_epub),
    FileType.PPTX: partial(_with_name, parse_pptx),
    FileType.PPT: partial(_with_name, parse_ppt),
    FileType.ODP: partial(_with_name, parse_odp),
    FileType.XLSX: partial(_with_name, parse_xlsx),
    FileType.XLSB: partial(_with_name, parse_xlsb),
    FileType.XLS: partial(_with_name, parse_xls),
    FileType.ODS: partial(_with_name, parse_ods),
    FileType.CSV: partial(_of_plain_text, parse_csv),
    FileType.EMAIL: partial(_with_html, open_email),
    FileType.MSG: _outlook,
    FileType.MBOX: partial(_with_name, open_mailbox),
    FileType.MHT: partial(_with_html, parse_web_archive),
    FileType.ICS: partial(_of_plain_text, calendar_text),
    FileType.VCF: partial(_of_plain_text, contacts_text),
    FileType.ARCHIVE: partial(_with_name, open_archive),
    FileType.HTML: partial(_of_text, parse_html),
    FileType.SVG: partial(_of_text, parse_svg),
    FileType.MARKDOWN: partial(_of_text, parse_markdown),
    FileType.NOTEBOOK: partial(_of_text, parse_notebook),
    FileType.CODE: _code,
    FileType.TEXT: partial(_of_plain_text, parse_text),
}
"""The readers of this package, for every type but pictures, which need languages."""

KREUZBERG: Mapping[FileType, Reader] = {
    **OWN,
    FileType.PDF: partial(_with_name, kreuzberg.parse_pdf),
    FileType.DOCX: partial(_with_kind, kreuzberg.parse_document),
    FileType.ODT: partial(_with_kind, kreuzberg.parse_document),
    FileType.RTF: partial(_with_kind, kreuzberg.parse_document),
    FileType.EPUB: partial(_with_kind, kreuzberg.parse_document),
    FileType.PPTX: partial(_with_kind, kreuzberg.parse_slides),
    FileType.PPT: partial(_with_kind, kreuzberg.parse_slides),
    FileType.ODP: partial(_with_kind, kreuzberg.parse_slides),
    FileType.XLSX: partial(_with_kind, kreuzberg.parse_workbook),
    FileType.XLSB: partial(_with_kind, kreuzberg.parse_workbook),
    FileType.XLS: partial(_with_kind, kreuzberg.parse_workbook),
    FileType.ODS: partial(_with_kind, kreuzberg.parse_workbook),
}
"""The readers of this package, with the readers of ``kreuzberg`` for documents."""

UNSTRUCTURED: Mapping[FileType, Reader] = {
    **OWN,
    FileType.DOCX: partial(_with_name, unstructured.parse_docx),
    FileType.PPTX: partial(_with_name, unstructured.parse_pptx),
    FileType.XLSX: partial(_with_name, unstructured.parse_xlsx),
    FileType.HTML: partial(_of_text, _html_of_unstructured),
    FileType.MARKDOWN: partial(_of_text, unstructured.parse_markdown),
}
"""The readers of this package, with the readers of ``unstructured`` that need no models."""


def with_pdf_strategy(
    readers: Mapping[FileType, Reader],
    strategy: unstructured.PdfStrategy,
    languages: tuple[str, ...],
) -> Mapping[FileType, Reader]:
    """Returns readers of which the one for PDF is that of ``unstructured``."""
    read_pdf = partial(unstructured.parse_pdf, strategy=strategy, languages=languages)
    return {**readers, FileType.PDF: partial(_with_name, read_pdf)}


def with_ocr(
    readers: Mapping[FileType, Reader], languages: Sequence[str]
) -> Mapping[FileType, Reader]:
    """Returns readers that also read pictures, and PDF's pages without text."""
    pictures = partial(read_picture, languages=tuple(languages))
    scans = partial(_scans, readers[FileType.PDF], tuple(languages))
    return {**readers, FileType.IMAGE: partial(_with_name, pictures), FileType.PDF: scans}


def _scans(read_pdf: Reader, languages: tuple[str, ...], file: File) -> str | Container:
    found: list[Container] = []

    def read_text() -> str:
        """Returns the text that the file holds as text."""
        read = read_pdf(file)
        if isinstance(read, str):
            return read
        found.append(read)
        return read.text

    text = read_scans(file.data, name=file.name, languages=languages, read_text=read_text)
    return replace(found[0], text=text) if found else text
