"""Mailboxes and web archives."""

from __future__ import annotations

import pytest

from managed_sync.errors import ParsingError
from tests.documents.growth import assert_ends, assert_linear
from tests.documents.mails import parsed, parts_of

LINE = "From ada@x.example Mon May  1 09:00:00 2026\n"


def test_the_messages_of_a_mailbox_are_parts() -> None:
    data = (
        f"{LINE}From: a@x.example\nSubject: One\n\nFirst.\n>From here on.\nFrom now on.\n\n"
        f"{LINE}Subject: Two/Three\n\nSecond.\n\n"
        f"{LINE}Subject: One\n\nThird.\n"
    )
    file = parsed(data.encode(), "all.mbox")

    assert file == "- One\n- Two/Three\n- One\n"
    assert [(part.path, part.title) for part in file.parts] == [
        ("One.eml", "One"),
        ("Two Three.eml", "Two/Three"),
        ("One (2).eml", "One"),
    ]
    assert "First.\nFrom here on.\nFrom now on." in file.parts[0].text


def test_a_message_without_headers_is_a_text() -> None:
    assert list(parts_of(parsed(f"{LINE}\nText.\n".encode(), "all.mbox")).values()) == ["Text.\n"]


def test_many_messages_take_little_time() -> None:
    assert_linear(lambda size: parsed(f"{LINE}Subject: S\n\n".encode() * size, "all.mbox"), 200)
    assert_ends(lambda: parsed(b"From a 09:00\n" + b"\n\nFrom" * 200_000, "all.mbox"))


PAGE = "<html><body><h1>Übersicht</h1><p>Grüße.</p></body></html>"


@pytest.mark.parametrize("charset", ["utf-8", "windows-1252"])
@pytest.mark.parametrize("name", ["page.mht", "page.mhtml"])
def test_a_web_archive_is_its_page(charset: str, name: str) -> None:
    data = (
        "From: <Saved by Blink>\nSubject: The page\nMIME-Version: 1.0\n"
        "Content-Type: multipart/related; type=text/html; boundary=b\n\n--b\n"
        f"Content-Type: text/html; charset={charset}\nContent-Transfer-Encoding: 8bit\n\n"
    ).encode()
    data += PAGE.encode(charset) + b"\n--b\nContent-Type: text/css\n\na { }\n--b--\n"

    assert parsed(data, name) == "# The page\n\n# Übersicht\n\nGrüße.\n"


def test_a_web_archive_of_a_blank_page_has_its_title() -> None:
    assert parsed(b"Subject: Index\nContent-Type: text/html\n\n", "page.mht") == "# Index\n"


def web_archive(*pages: str, subject: str = "") -> bytes:
    parts = "".join(f"--b\nContent-Type: text/html\n\n{page}\n" for page in pages)
    headers = f"Subject: {subject}\n" if subject else ""
    return (
        f"{headers}MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n{parts}--b--\n"
    ).encode()


def test_a_workbook_kept_as_a_web_archive_is_its_sheets() -> None:
    frames = "<frameset><frame src=a><noframes><body><p>No frames.</p></body></noframes></frameset>"
    data = web_archive(f"<html>{frames}</html>", "<table><tr><td>Cell<td>5</table>")

    assert parsed(data, "a.xls") == "| Cell | 5 |\n| --- | --- |\n"


def test_a_page_that_confluence_exports_keeps_its_own_title_only() -> None:
    data = web_archive("<h1>Plan</h1><p>Text.", subject="Exported From Confluence")

    assert parsed(data, "Plan.doc", "application/vnd.ms-word") == "# Plan\n\nText.\n"


def test_a_web_archive_without_a_page_has_one_reason() -> None:
    with pytest.raises(ParsingError, match="there is no page in it"):
        parsed(b"Subject: x\nContent-Type: image/png\n\nx", "page.mht")
