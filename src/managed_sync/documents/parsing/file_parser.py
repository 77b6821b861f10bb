"""Defines the default parser, which reads a file by the reader for its type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from managed_sync.documents.parsing.base import ParsedFile, reporting_damage
from managed_sync.documents.parsing.detection.detector import detect_file_type
from managed_sync.documents.parsing.detection.refusals import not_read
from managed_sync.documents.parsing.detection.signatures import image_type
from managed_sync.documents.parsing.file_types import FileType, display_name
from managed_sync.documents.parsing.markdown_writer import clean
from managed_sync.documents.parsing.parsers.ocr import check_languages
from managed_sync.documents.parsing.parts import PartsReader
from managed_sync.documents.parsing.readers import OWN, File, Reader, with_ocr
from managed_sync.errors import DocumentError, EmptyContentError

__all__ = ["PARSERS_VERSION", "FileParser"]

PARSERS_VERSION = 1
"""The version of the texts that the built-in parsers give.

Raise it by one in a release in which many files get another text, so that an index run says that
older texts are still in the index. See ``docs/decisions/0044-parsers-version.md``.
"""

# Text formats are parsed in time proportional to their size: some megabytes in a second.
_QUICK_BYTES = 512 * 1024
# Each HTML block in Markdown costs as much as some hundred letters.
_QUICK_MARKDOWN_BYTES = 64 * 1024
_SCANNED = " If it is a scan, OCR reads it: FileParser(ocr=...), or index --ocr eng."
_QUICK = {FileType.TEXT, FileType.CODE, FileType.CSV}


class FileParser:
    """A parser that reads each format with the reader that keeps most of it.

    These are the readers of this package. ``docs/how-to/documents.md`` lists the libraries that
    they use, and ``docs/benchmarks/parsing.md`` compares them with others. Subclasses read some
    formats with another library.

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

    _readers: Mapping[FileType, Reader] = OWN
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
        with reporting_damage(name):
            kind = detect_file_type(data, content_type=content_type, filename=filename)
        if kind not in self._readers:
            raise not_read(name, image_type(data))
        with reporting_damage(name):
            read = File(data, kind, name, content_type, filename, self._readers).read()
            text = clean(read if isinstance(read, str) else parts.text_of(read)).strip(" \t\n")
        if not text.strip():
            is_scan = kind is FileType.PDF and not self._ocr
            raise EmptyContentError(f"{name} has no text in it.{_SCANNED if is_scan else ''}")
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
            is_own = self._readers[kind] is OWN[kind]
            return is_own and len(data) <= _QUICK_MARKDOWN_BYTES
        return kind in _QUICK or kind not in self._readers
