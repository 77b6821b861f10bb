"""Reads the XML of Office files, book and OpenDocument archives."""

from __future__ import annotations

import io
import posixpath
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from benchmarks.parsing.truth.model import DamagedFileError

__all__ = ["Archive", "Relation", "local", "relations"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_MOST = 200 * 1024 * 1024


class Archive:
    """The members of a ZIP archive.

    Raises:
        DamagedFileError: It is not one.
    """

    def __init__(self, data: bytes) -> None:
        if data.startswith(_OLE):
            raise DamagedFileError("protected with a password, or of the old format")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DamagedFileError(f"no ZIP archive: {error}") from error
        self._names = {name.lower().replace("\\", "/"): name for name in self._zip.namelist()}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._names

    def names(self, start: str = "", end: str = "") -> list[str]:
        """Returns the names of members, sorted, whose names begin and end so."""
        names = (name.replace("\\", "/") for name in self._names.values())
        return sorted(name for name in names if name.startswith(start) and name.endswith(end))

    def read(self, name: str) -> bytes:
        """Returns the bytes of a member.

        Raises:
            DamagedFileError: It is missing, damaged or protected.
        """
        try:
            member = self._zip.getinfo(self._names[name.lower().lstrip("/")])
            if member.file_size > _MOST:
                raise DamagedFileError(f"{name} has {member.file_size} bytes")
            return self._zip.read(member)
        except (
            KeyError,
            zipfile.BadZipFile,
            zlib.error,
            RuntimeError,
            EOFError,
            OSError,
            NotImplementedError,
        ) as error:
            raise DamagedFileError(f"{name}: {error}") from error

    def xml(self, name: str) -> Any:
        """Returns the root element of a member.

        Raises:
            DamagedFileError: It is missing, or not XML.
        """
        parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
        try:
            return etree.fromstring(self.read(name), parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise DamagedFileError(f"{name}: {error}") from error


def local(element: Any) -> str:
    """Returns the name of an element without its namespace; comments have an empty one."""
    tag = element.tag
    return str(tag).rpartition("}")[2] if isinstance(tag, str) else ""


@dataclass(frozen=True)
class Relation:
    """A member that another one is related to.

    Attributes:
        id: The name by which the other one refers to it.
        kind: The last word of its type, such as ``"footnotes"``.
        name: The member.
    """

    id: str
    kind: str
    name: str


def relations(archive: Archive, name: str) -> Iterator[Relation]:
    """Yields what a member is related to, without what is outside of the file."""
    folder, _, file = name.rpartition("/")
    member = f"{folder}/_rels/{file}.rels".lstrip("/")
    if member not in archive:
        return
    for one in archive.xml(member):
        target = one.get("Target", "")
        if one.get("TargetMode") == "External" or not target:
            continue
        path = target.lstrip("/") if target.startswith("/") else f"{folder}/{target}"
        kind = one.get("Type", "").rpartition("/")[2]
        yield Relation(one.get("Id", ""), kind, posixpath.normpath(path).lstrip("/"))
