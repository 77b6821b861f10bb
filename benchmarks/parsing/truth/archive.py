"""Reads archives: the text of their members."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator

from benchmarks.parsing.truth.mail import TextReader
from benchmarks.parsing.truth.model import DamagedFileError, Truth
from benchmarks.parsing.truth.office.xml import Archive

__all__ = ["read_archive"]

_MOST_MEMBERS = 200


def read_archive(data: bytes, *, read_member: TextReader) -> Truth:
    """Returns the truth about an archive.

    Args:
        data: The archive.
        read_member: Reads its members.

    Raises:
        DamagedFileError: It is damaged or protected.
    """
    truth = Truth()
    for number, (name, content) in enumerate(_members(data)):
        if number == _MOST_MEMBERS:
            break
        text = read_member(content, name)
        truth.add("members", text)
        truth.flow.append(text)
    return truth


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(b"PK"):
        archive = Archive(data)
        for name in archive.names():
            if not name.endswith("/"):
                yield name, archive.read(name)
        return
    try:
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        elif data.startswith(b"BZh"):
            data = bz2.decompress(data)
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                if file is not None:
                    yield member.name, file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError) as error:
        raise DamagedFileError(str(error)) from error
