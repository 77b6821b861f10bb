"""The files in winmail.dat, under the names that people know."""

from __future__ import annotations

import random
import struct

import pytest

from managed_sync.documents.parsing.parsers.mail.tnef import open_tnef
from managed_sync.errors import ParsingError
from tests.documents.mails import mail, parsed, parts_of


def attribute(number: int, content: bytes) -> bytes:
    return struct.pack("<BII", 1, number, len(content)) + content + b"\0\0"


def text_property(number: int, value: str) -> bytes:
    data = f"{value}\0".encode("utf-16-le")
    return struct.pack("<HHII", 0x1F, number, 1, len(data)) + data + bytes(-len(data) % 4)


def named_number(value: int) -> bytes:
    """A property with a name of its own, which comes before others."""
    return struct.pack("<HH16sIII", 3, 0x8001, bytes(16), 0, 7, value)


TNEF = (
    b"\x78\x9f\x3e\x22\0\0"
    + attribute(0x00069003, struct.pack("<I", 2) + named_number(5) + text_property(0x1000, "Body."))
    + attribute(0x00069002, bytes(14))
    + attribute(0x00018010, b"PLAN~1.TXT\0")
    + attribute(0x0006800F, b"Alpha.")
    + attribute(0x00069005, struct.pack("<I", 1) + text_property(0x3707, "Übersicht.txt"))
    + attribute(0x00069002, bytes(14))
    + attribute(0x00018010, b"b.txt\0")
    + attribute(0x0006800F, b"Bravo.")
)


def test_the_files_have_their_long_names() -> None:
    members = {each.name: each.read(99) for each in open_tnef(TNEF, name="w").members if each.read}

    assert members == {"message.txt": b"Body.", "Übersicht.txt": b"Alpha.", "b.txt": b"Bravo."}


@pytest.mark.parametrize("subtype", ["ms-tnef", "octet-stream"])
def test_they_are_parts_of_the_mail(subtype: str) -> None:
    message = mail("Hello.")
    message.add_attachment(TNEF, maintype="application", subtype=subtype, filename="winmail.dat")

    assert parts_of(parsed(message)) == {
        "attachments/winmail.dat": "- message.txt\n- Übersicht.txt\n- b.txt\n",
        "attachments/winmail.dat/message.txt": "Body.\n",
        "attachments/winmail.dat/Übersicht.txt": "Alpha.\n",
        "attachments/winmail.dat/b.txt": "Bravo.\n",
    }


def test_other_bytes_are_refused() -> None:
    with pytest.raises(ParsingError, match="declared as TNEF"):
        open_tnef(b"text", name="w")


def test_damaged_files_are_read_as_far_as_they_go() -> None:
    drawn = random.Random(7)
    for _ in range(500):
        data = bytearray(TNEF)
        for _ in range(5):
            data[drawn.randrange(4, len(data))] = drawn.randrange(256)
        for member in open_tnef(bytes(data[: drawn.randrange(4, len(data))]), name="w").members:
            assert member.read
            assert len(member.read(10_000)) <= len(TNEF)
