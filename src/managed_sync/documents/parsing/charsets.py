"""Finds the charset that a text declares, by the names that browsers know.

The Encoding standard of the WHATWG gives old names to newer charsets that contain the old ones:
``iso-8859-1`` means Windows-1252, and ``gb2312`` means GB 18030.
"""

from __future__ import annotations

import re

__all__ = ["codec_of", "declared_in_page", "declared_in_source", "parameter_of"]

_CODECS = {
    "utf-8": "utf8 utf-8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16le unicode ucs-2 iso-10646-ucs-2 csunicode unicodefeff",
    "utf-16-be": "utf-16be unicodefffe",
    "utf-7": "utf-7 unicode-1-1-utf-7",
    "cp1252": "windows-1252 cp1252 x-cp1252 iso-8859-1 iso8859-1 iso88591 iso_8859-1 latin1 "
    "latin-1 l1 ascii us-ascii ansi_x3.4-1968 cp819 ibm819 iso-ir-100",
    "cp1250": "windows-1250 cp1250 x-cp1250",
    "cp1251": "windows-1251 cp1251 x-cp1251",
    "cp1253": "windows-1253 cp1253 x-cp1253",
    "cp1254": "windows-1254 cp1254 x-cp1254 iso-8859-9 iso8859-9 latin5 l5",
    "cp1255": "windows-1255 cp1255 x-cp1255",
    "cp1256": "windows-1256 cp1256 x-cp1256",
    "cp1257": "windows-1257 cp1257 x-cp1257",
    "cp1258": "windows-1258 cp1258 x-cp1258",
    "cp874": "windows-874 dos-874 cp874 iso-8859-11 iso8859-11 tis-620",
    "iso8859-2": "iso-8859-2 iso8859-2 latin2 l2",
    "iso8859-3": "iso-8859-3 iso8859-3 latin3 l3",
    "iso8859-4": "iso-8859-4 iso8859-4 latin4 l4",
    "iso8859-5": "iso-8859-5 iso8859-5 cyrillic",
    "iso8859-6": "iso-8859-6 iso8859-6 arabic iso-8859-6-e iso-8859-6-i asmo-708 ecma-114",
    "iso8859-7": "iso-8859-7 iso8859-7 greek greek8 ecma-118 elot_928",
    "iso8859-8": "iso-8859-8 iso8859-8 hebrew visual iso-8859-8-e iso-8859-8-i logical",
    "iso8859-10": "iso-8859-10 iso8859-10 latin6 l6",
    "iso8859-13": "iso-8859-13 iso8859-13",
    "iso8859-14": "iso-8859-14 iso8859-14",
    "iso8859-15": "iso-8859-15 iso8859-15 latin9 l9",
    "iso8859-16": "iso-8859-16 iso8859-16",
    "koi8-r": "koi8-r koi8 koi8_r koi koi8r",
    "koi8-u": "koi8-u koi8-ru koi8u",
    "mac-roman": "macintosh mac x-mac-roman macroman mac-roman",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian maccyrillic mac-cyrillic",
    "mac-greek": "x-mac-greek mac-greek",
    "mac-turkish": "x-mac-turkish mac-turkish",
    "mac-latin2": "x-mac-ce mac-latin2",
    "cp437": "cp437 ibm437 437",
    "cp850": "cp850 ibm850 850",
    "cp852": "cp852 ibm852 852",
    "cp855": "cp855 ibm855 855",
    "cp858": "cp858 ibm00858",
    "cp862": "cp862 ibm862",
    "cp866": "cp866 ibm866 866 dos-866",
    "gb18030": "gb18030 gbk gb2312 x-gbk gb_2312-80 gb_2312 chinese cp936 windows-936 euc-cn",
    "hz": "hz-gb-2312 hz",
    "big5hkscs": "big5 big5hkscs big5-hkscs cn-big5 x-x-big5 csbig5 cp950 windows-950",
    "cp932": "shift_jis shift-jis sjis x-sjis ms_kanji windows-31j cp932 ms932 ms-kanji "
    "shift_jis_2004 shift_jisx0213",
    "euc-jp": "euc-jp x-euc-jp eucjp euc_jp euc_jis_2004 euc-jis-2004 euc_jisx0213",
    "iso2022_jp_2": "iso-2022-jp iso-2022-jp-1 iso-2022-jp-2 csiso2022jp",
    "cp949": "euc-kr euckr ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 korean windows-949 cp949 "
    "uhc iso-ir-149",
    "iso2022_kr": "iso-2022-kr csiso2022kr",
    "johab": "johab cp1361 ms1361",
}
_BY_LABEL = {label: codec for codec, labels in _CODECS.items() for label in labels.split()}
_PARAMETER = re.compile(r"""\bcharset\s*=\s*["']?([\w.:+-]+)""", re.IGNORECASE | re.ASCII)
_META = re.compile(rb"<meta\b[^>]*", re.IGNORECASE)
_META_CHARSET = re.compile(rb"""charset\s*=\s*["']?\s*([\w.:+-]+)""", re.IGNORECASE)
_XML = re.compile(rb"""\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*["']([\w.:+-]+)["']""")
_CSS = re.compile(rb'@charset\s+"([\w.:+-]+)"')
_CODING = re.compile(rb"(?:.*\n)?[ \t\f]*(?:#|//|/\*|;|%).*?coding[:=][ \t]*([-\w.]+)")
# Browsers look only at the first 1,024 bytes, and read the page again for what comes later.
_HEAD = 64 * 1024
_FIRST_LINES = 1000


def codec_of(label: str) -> str | None:
    """Returns the codec of Python for a charset; ``None`` if it names no charset of texts.

    Examples:
        >>> codec_of("ISO-8859-1"), codec_of("idna")
        ('cp1252', None)
    """
    label = label.strip().lower()
    return _BY_LABEL.get(label) or _BY_LABEL.get(label.replace("_", "-"))


def parameter_of(content_type: str) -> str:
    """Returns the charset that a content type declares, or an empty string."""
    found = _PARAMETER.search(content_type)
    return found.group(1) if found else ""


def declared_in_page(data: bytes) -> str:
    """Returns the charset that a web page declares, or an empty string.

    Declarations in comments are none.
    """
    if found := _XML.match(data[:_FIRST_LINES]):
        return found.group(1).decode("ascii")
    head = data[:_HEAD]
    start = 0
    while (meta := _META.search(head, start)) is not None:
        comment = head.find(b"<!--", start, meta.start())
        if comment >= 0:
            end = head.find(b"-->", comment + 2)
            if end < 0:
                return ""
            start = end + 3
            continue
        start = meta.end()
        if found := _META_CHARSET.search(meta.group()):
            return found.group(1).decode("ascii")
    return ""


def declared_in_source(data: bytes) -> str:
    """Returns the charset that XML, CSS or source code declares, or an empty string."""
    start = data[:_FIRST_LINES]
    found = _XML.match(start) or _CSS.match(start) or _CODING.match(start)
    return found.group(1).decode("ascii") if found else ""
