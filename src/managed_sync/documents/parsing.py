"""From the bytes of a file to Markdown text, whatever the format."""

from __future__ import annotations

from typing import Protocol

from managed_sync.documents import kreuzberg_parser, plain_parser, unstructured_parser
from managed_sync.documents.decoding import decode
from managed_sync.documents.file_types import FileType, detect_file_type, display_name
from managed_sync.documents.markdown import clean
from managed_sync.errors import EmptyContentError

__all__ = ["Parser", "parse"]

# Up to this, unstructured needs a few seconds at worst; see docs/decisions.
_LARGE = 512 * 1024

_UNSTRUCTURED = {
    FileType.DOCX: unstructured_parser.parse_docx,
    FileType.PPTX: unstructured_parser.parse_pptx,
    FileType.XLSX: unstructured_parser.parse_xlsx,
    FileType.EMAIL: unstructured_parser.parse_email,
}
_UNSTRUCTURED_TEXT = {
    FileType.HTML: unstructured_parser.parse_html,
    FileType.MARKDOWN: unstructured_parser.parse_markdown,
    FileType.CSV: unstructured_parser.parse_csv,
}


class Parser(Protocol):
    """Anything that turns the bytes of a file into Markdown text, as :func:`parse` does.

    A parser raises a ``DocumentError`` for a file it cannot read; the loader reports that file
    and goes on with the others.
    """

    def __call__(self, data: bytes, *, content_type: str, filename: str) -> str:
        """The text of the file, as Markdown."""
        ...


def parse(
    data: bytes, *, content_type: str = "application/octet-stream", filename: str = ""
) -> str:
    r"""The text of a file as Markdown, with ``"\f"`` where a page, slide or sheet begins.

    Word, PowerPoint, Excel, HTML, Markdown, CSV and e-mail are read with ``unstructured``, PDF
    with ``kreuzberg``, plain text and code as they are. Nothing is downloaded, and no error of a
    library gets out.

    Raises:
        EmptyContentError: There are no bytes, or no text in them (a scanned PDF, for instance).
        ParsingError: The file is damaged, encrypted, or of a type without text.
        MissingExtraError: The library that reads this format is not installed.

    Example:
        >>> parse(b"# 1 egg\n", content_type="text/plain")
        '\\# 1 egg\n'
    """
    name = display_name(filename, content_type)
    if not data.strip(b"\0 \t\r\n"):
        raise EmptyContentError(f"{name} is empty.")
    kind = detect_file_type(data, content_type=content_type, filename=filename)
    text = clean(_read(kind, data, name=name, filename=filename)).strip(" \t\n")
    if not text.strip():
        raise EmptyContentError(f"{name} has no text in it.")
    return text + "\n"


def _read(kind: FileType, data: bytes, *, name: str, filename: str) -> str:
    if kind is FileType.PDF:
        return kreuzberg_parser.parse_pdf(data, name=name)
    if parser := _UNSTRUCTURED.get(kind):
        return parser(data, name=name)
    text = decode(data, name=name)
    if kind is FileType.TEXT:
        return plain_parser.parse_text(text)
    if kind is FileType.CODE:
        return plain_parser.parse_code(text, filename=filename)
    if len(data) > _LARGE:
        return _read_large(kind, text, name=name)
    return _UNSTRUCTURED_TEXT[kind](text, name=name)


def _read_large(kind: FileType, text: str, *, name: str) -> str:
    """What would keep ``unstructured`` busy for minutes, read in seconds."""
    if kind is FileType.MARKDOWN:
        return text
    if kind is FileType.CSV:
        return plain_parser.parse_large_csv(text)
    if kreuzberg_parser.is_installed():
        return kreuzberg_parser.parse_html(text, name=name)
    return unstructured_parser.parse_html(text, name=name)
