"""Opens the archives of Office and OpenDocument files, and reads the XML in them safely.

Guarantees:

- No part declares entities, and nothing outside of the file is opened; see ``safe_xml``.
- Part names are matched without regard to case, slashes and a leading slash, since some programs
  write them differently.
"""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import IO, NamedTuple
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError

from managed_sync.documents.parsing.base import nested_too_deeply, unreadable
from managed_sync.documents.parsing.parsers.office.safe_xml import parse_xml
from managed_sync.errors import ManagedSyncError, ParsingError

__all__ = ["Package", "Relationship", "reading"]


class Relationship(NamedTuple):
    """A link from one part to another one, or to something outside of the file.

    Attributes:
        kind: The last word of its type, such as ``"footnotes"`` or ``"hyperlink"``.
        target: The name of a part, or an address.
        is_external: Tells whether the target is outside of the file.
    """

    kind: str
    target: str
    is_external: bool


class Package:
    """The parts of an Office or OpenDocument file.

    Args:
        data: The bytes of the file.
        name: The name of the file in error messages.

    Raises:
        ParsingError: The bytes are no archive.
    """

    def __init__(self, data: bytes, *, name: str) -> None:
        self._name = name
        with reading(name):
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        # Of two entries of the same name, the last one counts, as for zipfile itself.
        self._entries = {_key(entry.filename): entry for entry in self._archive.infolist()}
        self._relationships: dict[str, dict[str, Relationship]] = {}

    @property
    def names(self) -> list[str]:
        """The names of all parts."""
        return [entry.filename for entry in self._entries.values()]

    @cached_property
    def main_part(self) -> str:
        """The name of the part with the document itself, or an empty string.

        It is usually ``word/document.xml``, but need not be.
        """
        named = self.related("", "officeDocument")
        # Without the relationship, as in damaged files, the content types tell.
        named += [part for part, kind in self._content_types[0].items() if "main+xml" in kind]
        return next((part for part in named if part in self), "")

    def __contains__(self, part: str) -> bool:
        """Tells whether the file has a part of this name."""
        return _key(part) in self._entries

    def open(self, part: str) -> IO[bytes]:
        """Opens a part as a stream.

        Raises:
            KeyError: There is no such part.
        """
        return self._archive.open(self._entries[_key(part)])

    def read(self, part: str) -> bytes:
        """Returns the bytes of a part; none if there is no such part.

        Raises:
            ParsingError: The part is damaged.
        """
        if part not in self:
            return b""
        with reading(self._name), self.open(part) as stream:
            return stream.read()

    def xml(self, part: str) -> Element | None:
        """Returns the root of an XML part, or ``None`` if there is no such part.

        Raises:
            ParsingError: The part is damaged or declares entities.
        """
        data = self.read(part)
        if not data:
            return None
        with reading(self._name):
            return parse_xml(data)

    def relationships(self, part: str) -> dict[str, Relationship]:
        """Returns the relationships of a part by their ids; ``""`` stands for the whole file.

        Parts that cannot be read have none.
        """
        key = _key(part)
        if key not in self._relationships:
            self._relationships[key] = self._read_relationships(part)
        return self._relationships[key]

    def related(self, part: str, kind: str) -> list[str]:
        """Returns the names of the parts of a kind that a part points to."""
        return [
            relationship.target
            for relationship in self.relationships(part).values()
            if relationship.kind == kind and not relationship.is_external
        ]

    def content_type(self, part: str) -> str:
        """Returns the content type that the file declares for a part, or an empty string."""
        by_part, by_suffix = self._content_types
        return by_part.get(_key(part)) or by_suffix.get(part.rpartition(".")[2].lower(), "")

    @cached_property
    def _content_types(self) -> tuple[dict[str, str], dict[str, str]]:
        by_part: dict[str, str] = {}
        by_suffix: dict[str, str] = {}
        for entry in self._optional("[Content_Types].xml"):
            kind = entry.get("ContentType", "")
            if entry.tag == "Override":
                by_part[_key(entry.get("PartName", ""))] = kind
            elif entry.tag == "Default":
                by_suffix[entry.get("Extension", "").lower()] = kind
        return by_part, by_suffix

    def _read_relationships(self, part: str) -> dict[str, Relationship]:
        folder, _, file = part.rpartition("/")
        relationships = {}
        for entry in self._optional(posixpath.join(folder, "_rels", f"{file}.rels")):
            target = entry.get("Target", "").replace("\\", "/")
            is_external = entry.get("TargetMode", "") == "External"
            if not is_external:
                target = posixpath.normpath(posixpath.join("/", folder, unquote(target)))
            relationships[entry.get("Id", "")] = Relationship(
                kind=entry.get("Type", "").rpartition("/")[2],
                target=target if is_external else target.lstrip("/"),
                is_external=is_external,
            )
        return relationships

    def _optional(self, part: str) -> list[Element]:
        """Returns the elements of a part that a reader can do without."""
        try:
            root = self.xml(part)
        except ParsingError:
            return []
        return [] if root is None else [*root]


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turns errors in the ``with`` block into errors that name the file.

    Raises:
        ParsingError: The file is damaged, protected, or nested too deeply.
    """
    try:
        yield
    except ParsingError as error:
        raise error if str(error).startswith(name) else unreadable(name, error) from error
    except ManagedSyncError:
        raise
    except RecursionError as error:
        raise nested_too_deeply(name) from error
    except ParseError as error:
        raise ParsingError(f"{name} is damaged: its XML is not well formed ({error}).") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ParsingError(f"{name} is damaged: {error}.") from error
    except (RuntimeError, NotImplementedError, ValueError, LookupError) as error:
        raise unreadable(name, error) from error


def _key(part: str) -> str:
    return part.replace("\\", "/").lstrip("/").lower()
