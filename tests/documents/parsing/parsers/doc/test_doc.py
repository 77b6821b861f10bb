"""Word files from before 2007 keep paragraphs, headings, tables, notes and headers."""

from __future__ import annotations

import struct

import pytest
from olefile import OleFileIO

from managed_sync.documents import parse
from managed_sync.documents.parsing.parsers.doc.reader import parse_doc
from managed_sync.errors import ParsingError
from tests.documents.binary_word import compound_file, make_doc
from tests.documents.compound_files import compound_file as tree_file

NORMAL = b"\0\0"
IN_TABLE = NORMAL + b"\x16\x24\1"


def row_end(*edges: int, flags: tuple[int, ...] = ()) -> bytes:
    cells = b"".join(
        (flags[index] if flags else 0).to_bytes(2, "little") + bytes(18)
        for index in range(len(edges) - 1)
    )
    shape = bytes([len(edges) - 1]) + struct.pack(f"<{len(edges)}h", *edges) + cells
    return IN_TABLE + b"\x17\x24\1" + b"\x08\xd6" + struct.pack("<H", len(shape) + 1) + shape


def text_of(*paragraphs: tuple[str, bytes], **more: object) -> str:
    return parse_doc(make_doc(paragraphs, **more), name="a.doc")  # type: ignore[arg-type]


def test_paragraphs_headings_items_and_pages_are_told_apart() -> None:
    assert text_of(
        ("Plan\r", NORMAL + b"\x40\x26\0"),
        ("Ünder\x0bit —\x1e\xa0x\r", NORMAL),
        ("one\r", NORMAL + b"\x0b\x46\1\0"),
        ("two\r", NORMAL + b"\x0a\x26\1\x0b\x46\1\0"),
        ("Page\x0c", NORMAL),
        ("Two\r", NORMAL),
    ) == ("# Plan\n\nÜnder\nit —-\xa0x\n\n- one\n  - two\n\nPage\n\n\fTwo")


def test_headings_are_those_of_the_style_and_the_style_below() -> None:
    def style(kind: int, base: int) -> bytes:
        return struct.pack("<HHHH", 6, kind, base << 4 | 1, 0)

    table = struct.pack("<HHH", 4, 3, 10) + style(0, 0xFFF) + style(2, 0) + style(0xFFE, 1)
    text = text_of(("Built in\r", b"\1\0"), ("Own\r", b"\2\0"), tables={0xA2: table})
    assert text == "## Built in\n\n## Own"


def test_a_reading_above_characters_is_text() -> None:
    code = r"EQ \* jc2 \o\ad(\s\up 10(とうきょう),東京)"
    assert text_of((f"\x13{code}\x15は\r", NORMAL)) == "東京(とうきょう)は"


def test_each_cell_is_under_its_column() -> None:
    assert text_of(
        ("Region\x07", IN_TABLE),
        ("Sales\x07", IN_TABLE),
        ("\x07", row_end(0, 1000, 3000)),
        ("North\x07", IN_TABLE),
        ("1\r", IN_TABLE),
        ("2\x07", IN_TABLE),
        ("3\x07", IN_TABLE),
        ("\x07", row_end(0, 1000, 2000, 3000, flags=(0x60, 0, 0))),
        ("\x07", IN_TABLE),
        ("4\x07", IN_TABLE),
        ("\x07", row_end(0, 1000, 3000, flags=(0x20, 0))),
        ("After\r", NORMAL),
    ).split("\n") == [
        "| Region | Sales |  |",
        "| --- | --- | --- |",
        "| North | 1 2 | 3 |",
        "| North | 4 |  |",
        "",
        "After",
    ]


def test_notes_comments_boxes_and_headers_have_their_places() -> None:
    def marks(place: int, data: bytes, count: int = 1) -> bytes:
        return struct.pack("<2i", place, 99) + data * count

    initials = struct.pack("<H", 2) + "ML".encode("utf-16-le") + bytes(24)
    footnote, headers, comment, endnote = (
        "\2 From May.\r",
        "Top\rBottom\r",
        "\5Check.\r",
        "Annex.\r",
    )
    bounds = [0, 0, 0, 0, 0, 0, 0, 4, 4, 11, 11, 11, 11]
    text = text_of(
        ("Rates\2 apply\5\2.\r", NORMAL),
        subdocuments=[footnote, headers, "", comment, endnote, "Boxed.\r"],
        tables={
            0xAA: marks(5, b"\1\0"),
            0xB2: struct.pack("<3i", 0, len(footnote), len(footnote) + 1),
            0xBA: marks(12, initials),
            0xC2: struct.pack("<3i", 0, len(comment), len(comment) + 1),
            0x20A: marks(13, b"\1\0"),
            0x212: struct.pack("<3i", 0, len(endnote), len(endnote) + 1),
            0xF2: struct.pack(f"<{len(bounds)}i", *bounds),
        },
    )
    assert text == (
        "Top\n\nRates[^1] apply[^i].\n\nComment (ML): Check.\n\n[^1]: From May.\n\n"
        "Boxed.\n\n[^i]: Annex.\n\nBottom"
    )


def test_results_of_fields_are_text_and_codes_and_hidden_text_are_not() -> None:
    link = '\x13 HYPERLINK "https://harbor.example/a" \x14the plan\x15'
    text = f"See {link}, page \x13PAGE \x13QUOTE x\x14y\x15\x147\x15 secret.\r"
    start = text.index(" secret")
    assert text_of((text, NORMAL), removed=[(start, start + 7)]) == (
        "See [the plan](https://harbor.example/a), page 7."
    )


def test_a_table_of_contents_is_its_entries_without_the_code() -> None:
    first = '\x13 TOC \\o "1-3" \\h \x14\x13 HYPERLINK \\l "_Toc1" \x14Introduction\x15\r'
    assert text_of((first, NORMAL), ("Limits\r", NORMAL), ("\x15\r", NORMAL)) == (
        "Introduction\n\nLimits"
    )


def test_a_file_of_word_6_is_read_in_the_code_page_of_its_language() -> None:
    text = "Привет\rA\x07B\x07\x07C\x07D\x07\x07End\r".encode("cp1251")
    main = bytearray(0x300)
    struct.pack_into("<4H", main, 0, 0xA5DC, 0x65, 0, 0x419)
    struct.pack_into("<I", main, 0x18, 0x300)
    struct.pack_into("<i", main, 0x34, len(text))
    data = compound_file({"WordDocument": bytes(main) + text})
    assert parse_doc(data, name="a.doc") == ("Привет\n\n| A | B |\n| --- | --- |\n| C | D |\n\nEnd")


def test_word_95_for_east_asia_has_two_bytes_for_each_character() -> None:
    text = "東京は\rHarbor\r"
    main = bytearray(0x300)
    struct.pack_into("<4H", main, 0, 0xA699, 0x68, 0, 0x411)
    struct.pack_into("<I", main, 0x18, 0x300)
    struct.pack_into("<i", main, 0x34, len(text))
    data = compound_file({"WordDocument": bytes(main) + text.encode("utf-16-le")})
    assert parse_doc(data, name="a.doc") == "東京は\n\nHarbor"


def test_a_word_document_that_is_an_object_follows_the_text() -> None:
    def streams(text: str) -> dict[str, bytes]:
        with OleFileIO(make_doc([(text, NORMAL)])) as file:
            return {path[0]: file.openstream(path).read() for path in file.listdir()}

    objects = {"_1": streams("Inner.\r"), "_2": {"WordDocument": b"damaged"}, "_3": {"a": b"x"}}
    data = tree_file({**streams("Outer.\r"), "ObjectPool": objects})
    assert parse_doc(data, name="a.doc") == "Outer.\n\nInner."


def test_headers_and_footers_of_word_6_are_read_wherever_they_are() -> None:
    text = b"Pier\r" + b"\r" + b"Harbor AG\r"
    main = bytearray(0x400)
    struct.pack_into("<4H", main, 0, 0xA5DC, 0x65, 0, 0x409)
    struct.pack_into("<II", main, 0x18, 0x300, 0x300 + len(text))
    struct.pack_into("<8i", main, 0x34, 5, 0, len(text) - 5, 0, 0, 0, 0, 0)
    main[0x300 : 0x300 + len(text)] = text
    struct.pack_into("<3i", main, 0x380, 0, 1, len(text) - 5)
    struct.pack_into("<II", main, 0xB0, 0x380, 12)
    assert parse_doc(compound_file({"WordDocument": bytes(main)}), name="a.doc") == (
        "Pier\n\nHarbor AG"
    )


def test_the_registry_reads_old_word_files_with_this_parser() -> None:
    data = make_doc([("Hello.\r", NORMAL)])
    assert parse(data, content_type="application/msword", filename="a.doc") == "Hello.\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (make_doc([("x\r", NORMAL)], flags=0x0100), "protected with a password"),
        (make_doc([("x\r", NORMAL)], magic=0xA59B), "before Word 6"),
        (compound_file({"Other": b""}), "no document in it"),
        (make_doc([("x\r", NORMAL)])[:700], "is damaged: it is cut short"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(ParsingError, match=rf"^a\.doc .*{reason}"):
        parse_doc(data, name="a.doc")
