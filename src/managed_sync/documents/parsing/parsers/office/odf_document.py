"""Opens OpenDocument files: archives, and single XML files (``fodt``, ``fods``, ``fodp``)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.base import protected
from managed_sync.documents.parsing.parsers.office.package import Package, reading
from managed_sync.documents.parsing.parsers.office.safe_xml import parse_xml
from managed_sync.errors import ParsingError

__all__ = ["OpenDocument", "opened"]

_ZIP = b"PK"


@dataclass(frozen=True)
class OpenDocument:
    """The XML of an OpenDocument file.

    Attributes:
        content: The root above the text, the sheets or the slides.
        styles: The root above the styles, if they are apart from the content.
        package: The archive; ``None`` for a single XML file.
    """

    content: Element
    styles: Element | None
    package: Package | None

    def embedded(self, folder: str) -> Element | None:
        """Returns the content of an object in the file, such as a chart."""
        if self.package is None or not folder:
            return None
        return self.package.xml(f"{folder}/content.xml")


@contextmanager
def opened(data: bytes, *, name: str) -> Iterator[OpenDocument]:
    """Yields an OpenDocument file; errors in the ``with`` block name it, too.

    Raises:
        ParsingError: The file is damaged, protected, or nested too deeply.
    """
    with reading(name):
        yield _document(data, name)


def _document(data: bytes, name: str) -> OpenDocument:
    if not data.startswith(_ZIP):
        root = parse_xml(data)
        return OpenDocument(root, None, None)
    package = Package(data, name=name)
    if b"encryption-data" in package.read("META-INF/manifest.xml"):
        raise protected(name)
    content = package.xml("content.xml")
    if content is None:
        raise ParsingError(f"{name} is damaged: it has no text in it.")
    return OpenDocument(content, package.xml("styles.xml"), package)
