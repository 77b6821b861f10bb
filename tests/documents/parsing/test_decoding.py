from __future__ import annotations

import sys

import pytest

from managed_sync.documents import parse
from managed_sync.documents.parsing.charsets import (
    codec_of,
    declared_in_page,
    declared_in_source,
    parameter_of,
)
from managed_sync.documents.parsing.decoding import decode
from managed_sync.errors import ParsingError

CHINESE = "这是一个关于合同条款的文件，请仔细阅读。"
RUSSIAN = "Привет, это письмо о договоре поставки и оплате услуг связи."


@pytest.mark.parametrize(
    "text",
    [
        "Mañana habrá más información, dijo el niño.",
        "Räksmörgås på ön kostar åtta kronor.",
        "un café crème",
        "The naïve café owner’s résumé – 5 €",
        "“Smart” – it’s €5, naïve café",
        "Grüße aus Köln",
        "5 € für 2 Stück",
        "Øl på færgen",
        "Ação",
    ],
)
def test_western_text_is_windows_1252_however_short(text: str) -> None:
    assert decode(text.encode("cp1252"), name="a.txt") == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Zamówienie zostało wysłane w środę, a płatność została już zaksięgowana.", "cp1250"),
        ("Zamówienie zostało wysłane w środę, a płatność została już zaksięgowana.", "iso8859-2"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy, protože řeka byla hluboká.", "cp1250"),
        ("Türkiye’de güneşli bir gün, çocuklar bahçede oynuyor ve şarkı söylüyor.", "cp1254"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (f'<?xml version="1.0"?><feed><title lang="ru">{RUSSIAN}</title></feed>' * 3, "cp1251"),
        ("Η σύμβαση πρέπει να υπογραφεί πριν από την παράδοση των εμπορευμάτων.", "cp1253"),
        ("החוזה חייב להיחתם לפני מסירת הסחורה ללקוח.", "cp1255"),
        ("يجب توقيع العقد قبل تسليم البضائع إلى العميل.", "cp1256"),
        ("これは日本語の文章です。契約の条件について。", "cp932"),
        ("これは日本語の文章です。契約の条件について。", "euc-jp"),
        ("これは日本語の文章です。", "iso-2022-jp"),
        ("이것은 계약 조건에 관한 문서입니다. 주의하여 읽으십시오.", "cp949"),
        ("이것은 계약 조건에 관한 문서입니다.", "iso-2022-kr"),
        (CHINESE, "gb18030"),
        (CHINESE, "utf-16-le"),
        (CHINESE, "utf-16-be"),
        ("這是一個關於合約條款的文件，請仔細閱讀。", "big5"),
        ("Hello this is text", "utf-16-le"),
        ("Hello this is text", "utf-32-le"),
        ("Hello this is text", "utf-32-be"),
    ],
)
def test_a_charset_is_found_by_the_bytes(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding), name="a.txt") == text


@pytest.mark.parametrize("rest", [b"\xff\xfe broken ", b"\xc3"])
def test_a_few_bad_bytes_do_not_turn_utf8_into_another_charset(rest: bytes) -> None:
    words = "Grüße und viel Text hier. " * 20
    text = decode(words.encode() + rest + b" end", name="a.txt")
    assert text.startswith(words)
    assert text.endswith(" end")
    assert "\ufffd" in text


@pytest.mark.parametrize(
    "words",
    [
        "charset=hex Grüße aus Köln",
        "encoding=rot13 Grüße aus Köln",
        "encoding=idna Grüße aus Köln",
        "encoding=unicode_escape Grüße C:\\new\\users",
        "Set charset=utf-16 in the config. Grüße aus Köln und Straße",
        "# see encoding=ascii in the docs\nGrüße aus Köln und Straße",
    ],
)
def test_plain_text_that_only_mentions_a_charset_declares_none(words: str) -> None:
    assert decode(words.encode("latin-1"), name="a.txt") == words


@pytest.mark.parametrize(
    ("text", "encoding", "declared"),
    [
        ("Привет", "koi8-r", "KOI8-R"),
        ("It’s €10", "cp1252", "iso-8859-1"),
        ("朱镕基 總統 €", "gb18030", "GB2312"),
        ("日本語①髙", "cp932", "Shift_JIS"),
        # Plainly wrong
        ("Größe – “q”", "utf-8", "iso-8859-1"),
        (RUSSIAN, "cp1251", "iso-8859-1"),
        ("Grüße aus Köln", "cp1252", "utf-8"),
        ("Grüße aus Köln", "cp1252", "idna"),
        ("Grüße aus Köln", "cp1252", "no such thing"),
    ],
)
def test_the_declared_charset_holds_unless_it_is_plainly_wrong(
    text: str, encoding: str, declared: str
) -> None:
    assert decode(text.encode(encoding), name="a.txt", charset=declared) == text


def test_colors_of_a_terminal_are_no_text() -> None:
    assert decode(b"\x1b[31mred\x1b[0m line\n", name="a.log") == "red line\n"


@pytest.mark.parametrize(
    ("page", "charset"),
    [
        (b'<meta charset="koi8-r">', "koi8-r"),
        (b"<META http-equiv=Content-Type content='text/html; charset=GB2312'>", "GB2312"),
        (b"<!-- <meta charset=utf-7> --><meta charset=big5>", "big5"),
        (b"<!-- <meta charset=utf-7>", ""),
        (b"<!-- " + b"x" * 2100 + b' --><meta charset="windows-1251">', "windows-1251"),
        (b'<?xml version="1.0" encoding="euc-jp"?><html>', "euc-jp"),
        (b"<p>charset=utf-7</p>", ""),
    ],
)
def test_a_page_declares_its_charset_in_its_head(page: bytes, charset: str) -> None:
    assert declared_in_page(page) == charset


@pytest.mark.parametrize(
    ("source", "charset"),
    [
        (b"#!/bin/python\n# -*- coding: koi8-r -*-\n", "koi8-r"),
        (b'<?xml version="1.0" encoding="KOI8-R"?>', "KOI8-R"),
        (b'@charset "big5";', "big5"),
        (b"x = 1\n\n# coding: koi8-r\n", ""),
    ],
)
def test_source_code_declares_its_charset_in_its_first_lines(source: bytes, charset: str) -> None:
    assert declared_in_source(source) == charset


def test_labels_are_those_of_browsers() -> None:
    labels = ("Latin1", "us-ascii", "gb2312", "x-sjis", "ks_c_5601-1987", "TIS-620", "hex", "rot13")
    assert [codec_of(label) for label in labels] == [
        *("cp1252", "cp1252", "gb18030", "cp932", "cp949", "cp874", None, None)
    ]
    assert parameter_of('text/plain; format=flowed; charset="KOI8-R"') == "KOI8-R"
    assert not parameter_of("text/plain")


def test_the_charset_of_the_content_type_comes_before_that_of_the_page() -> None:
    page = '<meta charset="big5"><p>Привет</p>'.encode("cp1251")
    assert parse(page, content_type="text/html; charset=windows-1251") == "Привет\n"


def test_without_the_detector_other_text_is_windows_1252(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "chardet", None)
    assert decode("un café crème".encode("cp1252"), name="a.txt") == "un café crème"


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ParsingError, match=r"a\.txt is declared as text"):
        decode(bytes(range(256)) * 20, name="a.txt")
