"""Compound files, as Outlook saves messages in them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import pairwise
from typing import TypeAlias

Tree: TypeAlias = Mapping[str, "bytes | Tree"]

_SECTOR, _MINI, _CUTOFF = 512, 64, 4096
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD


def compound_file(tree: Tree) -> bytes:
    """A compound file with these streams, and storages with streams in them."""
    entries: list[bytearray] = []
    mini, big = bytearray(), bytearray()
    mini_fat: list[int] = []
    fat: list[int] = []

    def chained(table: list[int], store: bytearray, data: bytes, size: int) -> int:
        start = len(table)
        count = -(-len(data) // size)
        table += [start + number + 1 for number in range(count - 1)] + [_END]
        store += data.ljust(count * size, b"\0")
        return start

    def add(name: str, content: bytes | Tree, kind: int) -> int:
        entry = bytearray(128)
        number = len(entries)
        entries.append(entry)
        encoded = f"{name}\0".encode("utf-16-le")
        entry[: len(encoded)] = encoded
        struct.pack_into("<HBB3I", entry, 64, len(encoded), kind, 1, _FREE, _FREE, _FREE)
        if isinstance(content, bytes):
            is_small = len(content) < _CUTOFF
            table, store = (mini_fat, mini) if is_small else (fat, big)
            start = _END
            if content:
                start = chained(table, store, content, _MINI if is_small else _SECTOR)
            struct.pack_into("<IQ", entry, 116, start, len(content))
            return number
        children = [
            add(each, value, 2 if isinstance(value, bytes) else 1)
            for each, value in sorted(content.items(), key=lambda item: (len(item[0]), item[0]))
        ]
        if children:
            struct.pack_into("<I", entry, 76, children[0])
        for left, right in pairwise(children):
            struct.pack_into("<I", entries[left], 72, right)
        return number

    add("Root Entry", tree, 5)
    if mini:
        start = chained(fat, big, bytes(mini), _SECTOR)
        struct.pack_into("<IQ", entries[0], 116, start, len(mini))
    directory = chained(fat, big, b"".join(entries), _SECTOR)
    first_mini_fat = chained(fat, big, struct.pack(f"<{len(mini_fat)}I", *mini_fat), _SECTOR)
    sectors = -(-(len(fat) + 1) // 127)
    first_fat = len(fat)
    fat += [_FAT] * sectors
    fat += [_FREE] * (sectors * 128 - len(fat))
    header = struct.pack(
        "<8s16xHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        *(0x3E, 3, 0xFFFE, 9, 6, 0, sectors, directory, 0, _CUTOFF, first_mini_fat, 1, _END, 0),
    )
    places = [*range(first_fat, first_fat + sectors), *[_FREE] * (109 - sectors)]
    return header + struct.pack("<109I", *places) + bytes(big) + struct.pack(f"<{len(fat)}I", *fat)
