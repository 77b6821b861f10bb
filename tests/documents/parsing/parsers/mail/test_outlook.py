"""Messages that Outlook saved: headers, bodies in three formats, attachments, messages in them."""

from __future__ import annotations

import struct
import sys
from datetime import UTC, datetime

import pytest

from managed_sync.documents.parsing.parsers.mail.outlook_rtf import decompressed, html_inside
from managed_sync.errors import MissingExtraError, ParsingError
from tests.documents.compound_files import Tree, compound_file
from tests.documents.mails import parsed, parts_of

SENT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
TICKS = int((SENT - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10_000_000


def text(number: int, value: str) -> dict[str, bytes]:
    return {f"__substg1.0_{number:04X}001F": value.encode("utf-16-le")}


def data(number: int, value: bytes) -> dict[str, bytes]:
    return {f"__substg1.0_{number:04X}0102": value}


def numbers(header: int, **values: int) -> dict[str, bytes]:
    entries = [
        struct.pack("<HHIQ", 3, int(name.removeprefix("x"), 16), 0, value)
        for name, value in values.items()
    ]
    return {"__properties_version1.0": bytes(header) + b"".join(entries)}


def message(**more: Tree | bytes) -> bytes:
    recipient = {**text(0x3001, "Bob"), **text(0x39FE, "bob@x.example"), **numbers(8, x0C15=1)}
    return compound_file(
        {
            **text(0x0037, "The plan"),
            **text(0x0C1A, "Ada Byron"),
            **text(0x5D01, "ada@x.example"),
            **numbers(32, x0039=TICKS, x3FFD=1250),
            "__recip_version1.0_#00000000": recipient,
            **more,
        }
    )


HEADERS = (
    "# The plan\n\nFrom: Ada Byron <ada@x.example>\nTo: Bob <bob@x.example>\n"
    "Date: Mon, 02 Nov 2026 09:30:00 +0000\nSubject: The plan\n"
)


def test_the_headers_and_the_plain_body_are_read() -> None:
    assert parsed(message(**text(0x1000, "Grüße\r\n計画")), "a.msg") == f"{HEADERS}\nGrüße\n計画\n"


def test_the_body_in_html_is_read_with_its_structure() -> None:
    page = b"<table><tr><td>Oslo</td><td>12</td></tr></table>"

    assert "| Oslo | 12 |" in parsed(message(**data(0x1013, page)), "a.msg")


RTF = rb"""{\rtf1\ansi\ansicpg1252\fromhtml1 {\fonttbl{\f0 Arial;}}
{\*\htmltag64 <p>}Gr\'fc\'dfe{\*\htmltag4 <b>}\htmlrtf {\b \htmlrtf0 \u8364?5\htmlrtf }\htmlrtf0
{\*\htmltag12 </b>}\{x\}{\*\htmltag72 </p>}}"""


def test_a_body_that_is_only_in_rtf_is_the_page_it_was_made_of() -> None:
    packed = struct.pack("<II4sI", len(RTF) + 12, len(RTF), b"MELA", 0) + RTF

    assert html_inside(RTF) == "<p>Grüße<b>€5</b>{x}</p>"
    assert "Grüße€5{x}" in parsed(message(**data(0x1009, packed)), "a.msg")


def test_packed_rtf_is_unpacked() -> None:
    # The two examples of the format's specification, MS-OXRTFCP.
    simple = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c09002062"
        "7705b06c647d0a800fa0"
    )
    crossing = bytes.fromhex("1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0")

    assert decompressed(simple) == rb"{\rtf1\ansi\ansicpg1252\pard hello world}" + b"\r\n"
    assert decompressed(crossing) == rb"{\rtf1 WXYZWXYZWXYZWXYZWXYZ}"


@pytest.mark.parametrize("damaged", [b"", b"LZFu", bytes(16), bytes(8) + b"LZFu" + b"\xff" * 99])
def test_damaged_rtf_is_no_text(damaged: bytes) -> None:
    assert decompressed(damaged) == b""


def test_attachments_and_messages_in_it_are_parts() -> None:
    attachment = {**text(0x3707, "plan.txt"), **data(0x3701, b"Alpha."), **numbers(8, x3705=1)}
    inner = {**text(0x0037, "Inner"), **text(0x1000, "Bravo."), **numbers(24)}
    embedded: Tree = {"__substg1.0_3701000D": inner, **numbers(8, x3705=5)}
    attached: dict[str, Tree | bytes] = {
        "__attach_version1.0_#00000000": attachment,
        "__attach_version1.0_#00000001": embedded,
    }

    file = parsed(message(**attached), "a.msg")

    assert file.endswith("Attachments: plan.txt, Inner\n")
    assert parts_of(file) == {
        "attachments/plan.txt": "Alpha.\n",
        "attachments/Inner.msg": "# Inner\n\nSubject: Inner\n\nBravo.\n",
    }


def test_texts_in_8_bit_have_the_code_page_of_the_message() -> None:
    body = {"__substg1.0_1000001E": "Žluťoučký kůň".encode("cp1250")}

    assert parsed(message(**body), "a.msg").endswith("\n\nŽluťoučký kůň\n")


def test_recipients_and_attachments_have_the_code_page_of_the_message() -> None:
    name = {"__substg1.0_3001001E": "Žluť".encode("cp1250"), **numbers(8, x0C15=1)}
    attachment: Tree = {
        "__substg1.0_3707001E": "kůň.txt".encode("cp1250"),
        **data(0x3701, b"Alpha."),
    }

    file = parsed(
        message(
            **{"__recip_version1.0_#00000000": name, "__attach_version1.0_#00000000": attachment}
        ),
        "a.msg",
    )

    assert "To: Žluť\n" in file
    assert parts_of(file) == {"attachments/kůň.txt": "Alpha.\n"}


def test_a_damaged_file_has_one_reason() -> None:
    with pytest.raises(ParsingError, match=r"^a\.msg "):
        parsed(message(**text(0x1000, "x" * 5000))[:2000], "a.msg")


def test_the_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "olefile", None)

    with pytest.raises(MissingExtraError, match="parsers"):
        parsed(message(), "a.msg")
