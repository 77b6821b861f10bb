"""Word files from before 2007, made byte by byte: no library writes them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

_SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_SMALL = 4096
TEXT_AT = 0x800


def compound_file(streams: Mapping[str, bytes]) -> bytes:
    """An OLE file with some streams, each at least as long as such files keep in sectors."""
    sectors: list[bytes] = []
    fat: list[int] = []
    entries = []
    for name, data in streams.items():
        padded = data.ljust(_SMALL, b"\0")
        count = -(-len(padded) // _SECTOR)
        first = len(sectors)
        sectors += [
            padded[at * _SECTOR : (at + 1) * _SECTOR].ljust(_SECTOR, b"\0") for at in range(count)
        ]
        fat += [*range(first + 1, first + count), _END]
        entries.append((name, 2, first, len(padded)))
    directory = len(sectors)
    slots = [("Root Entry", 5, _END, 0), *entries]
    data = b"".join(
        _entry(*slot, child=1 if index == 0 else _FREE, right=_next(index, len(slots)))
        for index, slot in enumerate(slots)
    ).ljust(_SECTOR * 2, b"\0")
    sectors += [data[:_SECTOR], data[_SECTOR : 2 * _SECTOR]]
    fat += [directory + 1, _END, _FAT]
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(_SECTOR, b"\xff")
    header = struct.pack(
        "<8s16sHHHHH6sIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"",
        *(0x3E, 3, 0xFFFE, 9, 6),
        b"",
        *(0, 1, directory, 0, _SMALL, _END, 0, _END, 0),
    ) + struct.pack("<109I", len(sectors), *[_FREE] * 108)
    return header + b"".join(sectors) + table


def _next(index: int, count: int) -> int:
    return index + 1 if 0 < index < count - 1 else _FREE


def _entry(name: str, kind: int, first: int, size: int, *, child: int, right: int) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16sIQQIII",
        encoded,
        len(encoded),
        *(kind, 1, _FREE, right, child),
        b"",
        *(0, 0, 0, first, size, 0),
    )


def make_doc(
    paragraphs: Sequence[tuple[str, bytes]],
    *,
    subdocuments: Sequence[str] = (),
    tables: Mapping[int, bytes] | None = None,
    removed: Sequence[tuple[int, int]] = (),
    flags: int = 0,
    magic: int = 0xA5EC,
) -> bytes:
    """A file of Word 97.

    Args:
        paragraphs: Their texts with the character that ends them, and their formats.
        subdocuments: The texts behind: footnotes, headers, macros, comments, endnotes, boxes.
        tables: Tables by their places in the file's header.
        removed: Where text is hidden.
        flags: Of the header.
        magic: The number of the program.
    """
    text = "".join(text for text, _ in paragraphs)
    lengths = [len(text), *map(len, subdocuments)]
    whole = text + "".join(subdocuments)
    body = bytearray(TEXT_AT)
    struct.pack_into("<H", body, 0, magic)
    struct.pack_into("<H", body, 0x0A, flags)
    struct.pack_into(f"<{len(lengths)}i", body, 0x4C, *lengths)
    encoded = whole.encode("utf-16-le")
    main = bytes(body) + encoded.ljust(-(-len(encoded) // _SECTOR) * _SECTOR, b"\0")
    pieces = struct.pack("<2i", 0, len(whole)) + struct.pack("<HIH", 0, TEXT_AT, 0)
    parts = dict(tables or {})
    parts[0x1A2] = b"\2" + struct.pack("<I", len(pieces)) + pieces
    bounds = [TEXT_AT]
    for each, _ in paragraphs:
        bounds.append(bounds[-1] + 2 * len(each))
    parts[0x102] = _page_table(bounds, len(main))
    main += _page(bounds, [data for _, data in paragraphs], 13)
    if removed:
        edges = [TEXT_AT + 2 * place for span in removed for place in span]
        parts[0xFA] = _page_table(edges, len(main))
        main += _page(edges, [b"\x3c\x08\1", b""] * len(removed), 1)
    table = b""
    header = bytearray(main)
    for place, data in parts.items():
        struct.pack_into("<II", header, place, len(table), len(data))
        table += data
    return compound_file({"WordDocument": bytes(header), "0Table": table})


def _page_table(bounds: Sequence[int], at: int) -> bytes:
    return struct.pack("<3I", bounds[0], bounds[-1], at // _SECTOR)


def _page(bounds: Sequence[int], formats: Sequence[bytes], width: int) -> bytes:
    """A page of formats, which fill it from its end."""
    count = len(bounds) - 1
    page = bytearray(_SECTOR)
    struct.pack_into(f"<{count + 1}I", page, 0, *bounds)
    page[-1] = count
    at = _SECTOR - 2
    for index in range(count):
        data = formats[index]
        if not data:
            continue
        entry = (
            bytes([0, (len(data) + 1) // 2]) + data if width == 13 else bytes([len(data)]) + data
        )
        at = (at - len(entry)) // 2 * 2
        page[at : at + len(entry)] = entry
        page[4 * (count + 1) + width * index] = at // 2
    return bytes(page)
