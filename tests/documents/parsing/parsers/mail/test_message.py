"""E-mail as people really send it: every text in it is read, in the right characters."""

from __future__ import annotations

import base64
from email.message import EmailMessage

import pytest

from managed_sync.errors import EmptyContentError
from tests.documents.growth import assert_ends
from tests.documents.mails import mail, parsed, parts_of


def multipart(kind: str, *parts: str, headers: str = "From: a@x.example\n") -> bytes:
    """A message with these parts, each with its headers."""
    body = "".join(f"--bound\n{part}\n" for part in parts)
    return (
        f"{headers}MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary=bound\n\n"
        f"{body}--bound--\n"
    ).encode()


def with_body(content: bytes, content_type: str = "text/plain", *, subject: str = "S") -> bytes:
    return f"Subject: {subject}\nContent-Type: {content_type}\n\n".encode() + content


PLAIN, HTML = "Content-Type: text/plain\n\n", "Content-Type: text/html\n\n"
CALENDAR = "Content-Type: text/calendar\n\n"
PNG = "Content-Type: image/png; name=pic.png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo="


def test_all_texts_are_read_in_order() -> None:
    text = parsed(multipart("mixed", f"{PLAIN}First.", PNG, f"{PLAIN}Second.", f"{HTML}<p>Third."))

    assert text.endswith("First.\n\nSecond.\n\nThird.\n\nAttachments: pic.png\n")


@pytest.mark.parametrize(
    "stub", ["", " \n", "This message is in HTML.", "View this mail in your browser: http://x.y/z"]
)
def test_html_behind_an_empty_or_stub_version_is_read(stub: str) -> None:
    page = "<html><body><h1>Offer</h1><p>The real text of it.</p></body></html>"
    text = parsed(multipart("alternative", PLAIN + stub, HTML + page))

    assert text == "From: a@x.example\n\n## Offer\n\nThe real text of it.\n"


def test_a_short_html_version_does_not_replace_the_longer_plain_one() -> None:
    text = parsed(
        multipart("alternative", f"{PLAIN}The plan of Ada and Grace.", f"{HTML}<p>The plan")
    )

    assert text.endswith("\n\nThe plan of Ada and Grace.\n")


def test_versions_that_say_different_things_are_both_read() -> None:
    text = parsed(multipart("alternative", f"{PLAIN}Alpha bravo.", f"{HTML}<p>Charlie delta."))

    assert text.endswith("\n\nAlpha bravo.\n\nCharlie delta.\n")


def test_equal_versions_are_read_once_with_the_structure_of_the_last() -> None:
    page = "<p>Rows:</p><table><tr><td>Oslo</td><td>12</td></tr></table>"
    text = parsed(multipart("alternative", f"{PLAIN}Rows: Oslo 12", HTML + page))

    assert text.count("Oslo") == 1
    assert "| Oslo | 12 |" in text


def test_a_forwarded_message_is_a_part_with_its_own_attachments() -> None:
    file = parsed(mail(inner=mail("Delta.", subject="Re: Plan/B", a_txt=b"Echo.")))

    assert file.endswith("Attachments: Re: Plan/B\n")
    assert [(part.path, part.title) for part in file.parts] == [
        ("attachments/Re: Plan B.eml", "Re: Plan/B"),
        ("attachments/Re: Plan B.eml/attachments/a.txt", "a.txt"),
    ]
    assert file.parts[0].text == (
        "# Re: Plan/B\n\nFrom: ada@harbor.example\nSubject: Re: Plan/B\n\nDelta.\n\n"
        "Attachments: a.txt\n"
    )


def test_the_messages_of_a_digest_are_parts() -> None:
    file = parsed(multipart("digest", "\nSubject: One\n\nFirst.", "\nSubject: Two\n\nSecond."))

    assert [(part.title, part.text) for part in file.parts] == [
        ("One", "# One\n\nSubject: One\n\nFirst.\n"),
        ("Two", "# Two\n\nSubject: Two\n\nSecond.\n"),
    ]


def test_a_message_that_was_encoded_against_the_rules_is_read() -> None:
    inner = base64.encodebytes(b"Subject: Inner\n\nText inside.\n").decode()
    part = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n{inner}"

    assert "Text inside." in parts_of(parsed(multipart("mixed", part)))["attachments/Inner.eml"]


def test_an_attached_message_without_headers_is_a_text() -> None:
    part = "Content-Type: message/rfc822\n\nThis is not a message."

    assert parts_of(parsed(multipart("mixed", part))) == {
        "attachments/message.txt": "This is not a message.\n"
    }


def test_a_bounce_says_what_happened() -> None:
    status = (
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"
        "Final-Recipient: rfc822; bob@x.example\nAction: failed\nStatus: 5.1.1\n"
    )
    headers = "Content-Type: text/rfc822-headers\n\nSubject: The lost one\n"
    text = parsed(multipart("report", f"{PLAIN}Sorry.", status, headers))

    assert "Sorry.\n\nReporting-MTA: dns; mx.example\n\nFinal-Recipient:" in text
    assert "Action: failed" in text
    assert "Subject: The lost one" in text


def test_an_invitation_is_readable() -> None:
    event = (
        "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nSUMMARY:Board meeting\nLOCATION:Room 4\n"
        "DTSTART:20260501T090000Z\nDTEND:20260501T100000Z\nEND:VEVENT\nEND:VCALENDAR"
    )
    text = parsed(multipart("alternative", f"{PLAIN}You are invited.", CALENDAR + event))

    assert text.endswith(
        "You are invited.\n\n## Board meeting\n\n"
        "When: 2026-05-01 09:00 to 10:00 UTC\nWhere: Room 4\n"
    )


@pytest.mark.parametrize(
    ("content_type", "content", "text"),
    [
        (
            "text/plain; format=flowed",
            b"A long \nparagraph.\n-- \nAda",
            "A long paragraph.\n-- \nAda",
        ),
        ("text/plain; format=flowed; delsp=yes", b"Straw \nberry.", "Strawberry."),
        ("text/plain; format=flowed", b"> one \n> two\nme", "> one two\nme"),
        ("text/plain", b"A line \nand one.", "A line \nand one."),
        ("text/enriched", b"<bold>Hi</bold>\nyou", "Hi you"),
    ],
)
def test_lines_are_joined_where_the_sender_broke_them(
    content_type: str, content: bytes, text: str
) -> None:
    assert parsed(with_body(content, content_type)).endswith(f"\n\n{text}\n")


@pytest.mark.parametrize(
    ("charset", "content", "text"),
    [
        ("iso-8859-1", "It’s “quoted” € 5".encode("cp1252"), "It’s “quoted” € 5"),
        ("us-ascii", "Grüße".encode(), "Grüße"),
        ("us-ascii", "Grüße".encode("cp1252"), "Grüße"),
        ("iso-8859-1", "Grüße €".encode(), "Grüße €"),
        ("utf-8", "für Ada".encode("cp1252"), "für Ada"),
        ("cp-850", "für Japan".encode("cp850"), "für Japan"),
        ("gb2312", "朱镕基 你好".encode("gbk"), "朱镕基 你好"),
        ("ks_c_5601-1987", "똠방각하".encode("cp949"), "똠방각하"),
        ("shift_jis", "①計画".encode("cp932"), "①計画"),
        ("iso-2022-jp", "計画".encode("iso-2022-jp"), "計画"),
        ("x-unknown", "Grüße aus Hamburg".encode(), "Grüße aus Hamburg"),
        ("unicode_escape", b"a\\x41", "a\\x41"),
    ],
)
def test_a_text_is_read_in_the_charset_that_it_really_has(
    charset: str, content: bytes, text: str
) -> None:
    assert parsed(with_body(content, f'text/plain; charset="{charset}"')).endswith(f"\n\n{text}\n")


@pytest.mark.parametrize(
    ("subject", "read"),
    [
        ("=?utf-8?Q?Gr=C3=BC?=\n =?utf-8?Q?=C3=9Fe?=", "Grüße"),
        # A character that is split between two words.
        ("=?utf-8?B?w7w=?= =?utf-8?Q?_=C3?= =?utf-8?Q?=9F?=", "ü ß"),
        ("=?iso-8859-1*de?Q?Gr=FC=DFe?= Ada", "Grüße Ada"),
        ("=?utf-8?B?w7w?=", "ü"),
        ("=?x-none?Q?Plan?=", "Plan"),
        ("Folded\n  subject", "Folded subject"),
    ],
)
def test_encoded_words_are_read(subject: str, read: str) -> None:
    assert parsed(with_body(b"text", subject=subject)).startswith(f"# {read}\n\nSubject: {read}\n")


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "gb2312"])
def test_headers_in_8_bit_have_the_charset_of_the_text(charset: str) -> None:
    word = "中文" if charset == "gb2312" else "Grüße"
    header = f"Subject: {word}\nContent-Type: text/plain; charset={charset}\n\ntext"

    assert parsed(header.encode(charset)).startswith(f"# {word}\n")


@pytest.mark.parametrize(
    "disposition",
    [
        "filename*=utf-8''%C3%9Cbersicht.txt",
        "filename*0*=utf-8''%C3%9Cber; filename*1*=sicht.txt",
        'filename="=?utf-8?Q?=C3=9Cbersicht.txt?="',
        'filename="Übersicht.txt"',
    ],
)
def test_names_of_attachments_are_read_however_they_are_written(disposition: str) -> None:
    part = f"Content-Disposition: attachment; {disposition}\n\nText."

    assert parts_of(parsed(multipart("mixed", part))) == {"attachments/Übersicht.txt": "Text.\n"}


MESSAGE = "From: a@x.example\nSubject: Ünder\n\nBody.\n"


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + MESSAGE.encode(),
        MESSAGE.encode("utf-16"),
        MESSAGE.encode("utf-16-le"),
        MESSAGE.encode("utf-16-be"),
        MESSAGE.replace("\n", "\r\n").encode(),
        MESSAGE.replace("\n", "\r").encode(),
        b"\r\n\r\n" + MESSAGE.encode(),
        b"From a@x.example Mon May  1 00:00:00 2026\n" + MESSAGE.encode(),
        MESSAGE.replace("From:", "From :").encode(),
    ],
)
def test_a_message_is_read_however_it_was_saved(data: bytes) -> None:
    assert parsed(data) == "# Ünder\n\nFrom: a@x.example\nSubject: Ünder\n\nBody.\n"


def test_a_bad_address_and_date_are_read_as_they_are() -> None:
    data = b'From: "unclosed <a@x.example\nTo: undisclosed-recipients:;\nDate: Someday\n\nBody.'

    assert parsed(data) == (
        'From: "unclosed <a@x.example\nTo: undisclosed-recipients:;\nDate: Someday\n\nBody.\n'
    )


def test_damage_to_an_encoding_costs_only_the_damaged_characters() -> None:
    quoted = "Content-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe =ZZ end=\n"
    data = base64.encodebytes(b"The plan of Ada.").decode().rstrip().rstrip("=")
    encoded = f"Content-Transfer-Encoding: base64\n\n!{data}"
    text = parsed(multipart("mixed", quoted, encoded))

    assert "Grüße =ZZ end" in text
    assert "The plan of Ada." in text


def test_a_file_in_uuencode_is_a_part_and_not_in_the_text() -> None:
    body = b"Before.\nbegin 644 plan.txt\n*5&AE('!L86XN\"@``\n`\nend\nAfter.\n"
    file = parsed(with_body(body))

    assert parts_of(file) == {"attachments/plan.txt": "The plan.\n"}
    assert "Before.\nAfter.\n\nAttachments: plan.txt" in file


def test_a_text_that_only_begins_like_uuencode_stays() -> None:
    body = "begin 644 chapters\nof the book"

    assert body in parsed(with_body(body.encode()))


@pytest.mark.parametrize(
    "part",
    [
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\n\nMIAG",
        "Content-Type: multipart/encrypted; boundary=c\n\n--c\n"
        "Content-Type: application/pgp-encrypted\n\nVersion: 1\n--c--",
        f"{PLAIN}-----BEGIN PGP MESSAGE-----\n\nhQEMA5\n-----END PGP MESSAGE-----",
    ],
)
def test_an_encrypted_text_is_named_as_one(part: str) -> None:
    text = parsed(multipart("mixed", part))

    assert text.endswith("\n\nThis text is encrypted and cannot be read.\n")


def test_signatures_are_not_text() -> None:
    signed = (
        f"{PLAIN}-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nSigned text.\n"
        "-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----"
    )
    signature = (
        "Content-Type: application/pkcs7-signature; name=smime.p7s\n"
        "Content-Transfer-Encoding: base64\n\nMIAG"
    )
    file = parsed(multipart("signed", signed, signature))

    assert file == "From: a@x.example\n\nSigned text.\n\nAttachments: smime.p7s\n"
    assert file.unread == ()


def test_a_text_without_headers_is_a_text() -> None:
    assert parsed(b"Only some words,\nand no header.") == "Only some words,\nand no header.\n"


def test_lines_that_look_like_headings_are_escaped() -> None:
    assert parsed(with_body(b"# not a heading")).endswith("\n\n\\# not a heading\n")


def test_a_message_with_an_attachment_only_is_read() -> None:
    message = EmailMessage()
    message["From"] = "a@x.example"
    message.add_attachment("Text.", filename="a.txt")

    assert parts_of(parsed(message)) == {"attachments/a.txt": "Text.\n"}


def test_an_empty_file_is_no_message() -> None:
    with pytest.raises(EmptyContentError):
        parsed(b"\n")


@pytest.mark.parametrize(
    "data",
    [
        b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 20_000,
        b"Subject: " + b"=?utf-8?Q?a?= " * 50_000 + b"\n\ntext",
        with_body(b"begin 644 a\n" * 50_000),
        with_body(b"-----BEGIN PGP MESSAGE-----\n" * 30_000),
        with_body(b"> " * 300_000, "text/plain; format=flowed"),
        with_body(b"<bold>" * 100_000, "text/enriched"),
        b"X :" * 200_000,
        b"From " * 200_000,
    ],
    ids=["parts", "words", "uuencode", "pgp", "quotes", "enriched", "headers", "from"],
)
def test_hostile_messages_take_little_time(data: bytes) -> None:
    assert_ends(lambda: parsed(data))


def test_parts_that_are_nested_without_end_are_refused_in_one_sentence() -> None:
    data = b"Subject: x\n"
    for number in range(2_000):
        data += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (number, number)

    with pytest.raises(Exception, match=r"is nested too deeply to be read\.$"):
        parsed(data)
