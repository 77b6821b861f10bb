"""Chooses a parser, and parses any file into Markdown text with the default one.

See ``docs/decisions/0005-documents-parsers.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from managed_sync.documents.parsing.base import ParsedFile, Parser
from managed_sync.documents.parsing.file_parser import FileParser
from managed_sync.documents.parsing.parsers.unstructured import PdfStrategy
from managed_sync.documents.parsing.readers import KREUZBERG, UNSTRUCTURED, with_pdf_strategy
from managed_sync.errors import ConfigurationError

__all__ = [
    "FileParser",
    "KreuzbergParser",
    "ParserChoice",
    "UnstructuredParser",
    "chosen_parser",
    "parse",
]

ParserChoice: TypeAlias = Parser | Literal["unstructured", "kreuzberg"]


class KreuzbergParser(FileParser):
    r"""A parser that reads PDF, Office, OpenDocument, RTF and EPUB with ``kreuzberg``.

    Examples:
        >>> KreuzbergParser()(b"<h1>Hi</h1>", content_type="text/html")
        '# Hi\n'
    """

    _readers = KREUZBERG


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

    _readers = UNSTRUCTURED

    def __init__(
        self,
        *,
        pdf_strategy: PdfStrategy | None = None,
        languages: tuple[str, ...] = ("eng",),
        ocr: Sequence[str] = (),
    ) -> None:
        self._settings = ""
        if pdf_strategy:
            self._settings = f"pdf_strategy={pdf_strategy}, languages={'+'.join(languages)}"
            self._readers = with_pdf_strategy(self._readers, pdf_strategy, languages)
        super().__init__(ocr=ocr)
        if self._ocr:
            self._settings += f"{', ' if self._settings else ''}ocr={self._ocr}"

    @property
    def fingerprint(self) -> str:
        """The settings that decide the text; an index notices when they change."""
        return f"UnstructuredParser({self._settings})"


_DEFAULT = FileParser()


def parse(
    data: bytes, *, content_type: str = "application/octet-stream", filename: str = ""
) -> ParsedFile:
    r"""Returns the text of a file as Markdown, with ``"\f"`` between pages, slides or sheets.

    Each format is read with the reader that keeps most of it; see :class:`FileParser`. Nothing is
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
