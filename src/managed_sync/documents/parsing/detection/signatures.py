"""Recognizes formats by the bytes at certain positions of a file."""

from __future__ import annotations

from typing import TypeAlias

from managed_sync.documents.parsing.detection.compound import type_of_compound_file
from managed_sync.documents.parsing.detection.refusals import not_read
from managed_sync.documents.parsing.detection.zips import type_of_zip
from managed_sync.documents.parsing.file_types import FileType

__all__ = ["BLANK", "image_type", "type_of_bytes"]

BLANK = b"\xef\xbb\xbf \t\r\n"
# An offset, the bytes there, and the type; a content type in its place is one that is not read.
_Signature: TypeAlias = tuple[int, bytes, FileType | str]
_SIGNATURES: tuple[_Signature, ...] = (
    (0, b"{\\rtf", FileType.RTF),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"\0\0\0\x0cjP  \r\n\x87\n", "image/jp2"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypheix", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (4, b"ftypavif", "image/avif"),
    (0, b"\x1f\x8b", FileType.ARCHIVE),
    (0, b"BZh", FileType.ARCHIVE),
    (0, b"\xfd7zXZ\0", FileType.ARCHIVE),
    (257, b"ustar", FileType.ARCHIVE),
    (0, b"\x09\x00\x04\x00", FileType.XLS),  # Excel 2, 3 and 4
    (0, b"\x09\x02\x06\x00", FileType.XLS),
    (0, b"\x09\x04\x06\x00", FileType.XLS),
    (0, b"\xdb\xa5", "application/msword"),  # Word 2
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"MZ\x90\0", "application/x-msdownload"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"),
    (0, b"\0asm", "application/wasm"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"%!PS", "application/postscript"),
    (0, b"AC10", "image/vnd.dwg"),
    (0, b"RIFF", "audio/x-wav"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"OggS", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"),
    (4, b"ftyp", "video/mp4"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
)
_IMAGES = {
    *("image/png", "image/jpeg", "image/gif", "image/tiff", "image/jp2", "image/webp"),
    *("image/heic", "image/heif", "image/avif", "image/bmp"),
}
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def type_of_bytes(data: bytes, name: str) -> FileType | None:
    """Returns the type if the first bytes leave no doubt about it.

    Raises:
        ParsingError: The file is encrypted or damaged, or of a type without text.
    """
    if data[:64].lstrip(BLANK + b"\0").startswith(b"%PDF-"):
        return FileType.PDF
    if data.startswith(_ZIP):
        return type_of_zip(data, name)
    if data.startswith(_COMPOUND):
        return type_of_compound_file(data, name)
    kind = _signature(data)
    if kind in _IMAGES:
        return FileType.IMAGE
    if kind is None and _is_old_tar(data):
        return FileType.ARCHIVE
    if kind is None or isinstance(kind, FileType):
        return kind
    raise not_read(name, kind)


def image_type(data: bytes) -> str:
    """Returns the content type of a picture."""
    return str(_signature(data) or "an image")


def _signature(data: bytes) -> FileType | str | None:
    if data.startswith(b"BM") and data[6:10] == bytes(4):
        return "image/bmp"
    for offset, signature, kind in _SIGNATURES:
        if data.startswith(signature, offset):
            return kind
    return None


def _is_old_tar(data: bytes) -> bool:
    """Tells whether a file begins with the header of an archive from before the mark "ustar"."""
    header = data[:512]
    digits = header[148:156].strip(b" \0")
    if len(header) < 512 or not header[0] or not digits or digits.strip(b"01234567"):
        return False
    return int(digits, 8) == sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
