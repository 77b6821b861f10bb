"""Mail that is signed as a whole (S/MIME): its text is in the signed data."""

from __future__ import annotations

import base64
import datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from managed_sync.documents.parsing.parsers.signed_data import is_signed_data, signed_content
from tests.documents.mails import mail, parsed, parts_of

TEXT = b"Content-Type: text/plain\r\n\r\nThe signed text.\r\n"
SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
DATA = bytes.fromhex("06092a864886f70d010701")
VERSION, ALGORITHMS = bytes.fromhex("020101"), bytes.fromhex("3100")
END = bytes(2)


@cache
def signed(content: bytes, encoding: Encoding = Encoding.DER) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ada")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now)
    certificate = builder.sign(key, hashes.SHA256())
    signing = pkcs7.PKCS7SignatureBuilder().set_data(content)
    signing = signing.add_signer(certificate, key, hashes.SHA256())
    return signing.sign(encoding, [pkcs7.PKCS7Options.Binary])


def element(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return bytes([tag, 0x83]) + len(content).to_bytes(3, "big") + content


def open_element(tag: int, *contents: bytes) -> bytes:
    """An element without its length, as programs write that sign while they read."""
    return bytes([tag, 0x80]) + b"".join(contents) + END


def signed_in_pieces(*pieces: bytes) -> bytes:
    content = open_element(0x24, *(element(4, piece) for piece in pieces))
    inner = open_element(0x30, DATA, open_element(0xA0, content))
    algorithms = open_element(0x31, open_element(0x30, DATA))
    data = open_element(0x30, VERSION, algorithms, inner)
    return open_element(0x30, SIGNED_DATA, open_element(0xA0, data))


def signed_mail(data: bytes, parameters: str = "smime-type=signed-data; name=smime.p7m") -> bytes:
    headers = (
        f"From: a@x.example\nContent-Type: application/pkcs7-mime; {parameters}\n"
        "Content-Transfer-Encoding: base64\n\n"
    )
    return headers.encode() + base64.encodebytes(data)


@pytest.mark.parametrize(
    "data",
    [
        signed(TEXT),
        signed(TEXT, Encoding.PEM),
        signed_in_pieces(TEXT),
        signed_in_pieces(TEXT[:9], TEXT[9:30], TEXT[30:]),
    ],
)
@pytest.mark.parametrize("parameters", ["smime-type=signed-data; name=smime.p7m", "x=y"])
def test_a_mail_that_is_signed_as_a_whole_is_read(data: bytes, parameters: str) -> None:
    file = parsed(signed_mail(data, parameters))

    assert file == "From: a@x.example\n\nThe signed text.\n"


def test_attachments_of_a_signed_mail_are_parts() -> None:
    inner = mail("See below.", plan_md=b"# The plan\n").as_bytes()

    file = parsed(signed_mail(signed_in_pieces(inner)))

    assert "See below." in file
    assert parts_of(file) == {"attachments/plan.md": "# The plan\n"}


def test_a_signed_file_is_a_part() -> None:
    file = parsed(mail(plan_md_p7m=signed(b"# The plan\n")))

    assert parts_of(file) == {"attachments/plan.md": "# The plan\n"}


def test_data_in_lengths_of_both_kinds_is_read() -> None:
    content = element(0x24, element(0x24, element(4, b"a"), element(4, b"b")), element(4, b"c"))
    inner = element(0x30, DATA, element(0xA0, content))
    data = element(0x30, VERSION, ALGORITHMS, inner, ALGORITHMS)

    assert signed_content(element(0x30, SIGNED_DATA, element(0xA0, data))) == b"abc"


def test_a_signed_text_that_is_damaged_is_not_called_encrypted() -> None:
    data = signed(TEXT)
    file = parsed(signed_mail(data[:80]))

    assert file.endswith("\n\nThis text is signed in a form that cannot be read.\n")


def test_certificates_without_a_text_are_no_text() -> None:
    inner = element(0x30, DATA)
    data = element(0x30, SIGNED_DATA, element(0xA0, element(0x30, VERSION, ALGORITHMS, inner)))
    file = parsed(signed_mail(data, "smime-type=certs-only; name=smime.p7c"))

    assert file == "From: a@x.example\n\nAttachments: smime.p7c\n"


@pytest.mark.parametrize("source", [signed(TEXT), signed_in_pieces(TEXT, TEXT)])
def test_damaged_data_has_its_content_or_none(source: bytes) -> None:
    for end in range(len(source)):
        assert signed_content(source[:end]) in {None, TEXT, 2 * TEXT}
    for position in range(min(len(source), 120)):
        for value in (0, 4, 0x24, 0x80, 0x84, 0xFF):
            changed = source[:position] + bytes([value]) + source[position + 1 :]
            content = signed_content(changed)
            assert content is None or len(content) < len(source)


def test_texts_signed_many_times_end() -> None:
    data = TEXT
    headers = b"Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n"
    for _ in range(12):
        data = headers + base64.encodebytes(signed_in_pieces(data))

    text = parsed(b"From: a@x.example\n" + data)

    assert text == "From: a@x.example\n\nThis text is signed in a form that cannot be read.\n"
    assert not is_signed_data(b"")
