"""Files that make parsers fail, hang or fill memory; and scripts and encodings of all kinds.

Large and binary ones are made here, so that nobody has to keep them.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import docx
import msoffcrypto.format.ooxml
from PIL import Image, ImageDraw
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from tests.documents import sample_files

HEBREW = "הרובוט עוצר כשאדם נכנס לאזור העבודה."
ARABIC = "يتوقف الروبوت عندما يدخل شخص إلى منطقة العمل."
JAPANESE = "人が作業エリアに入るとロボットは停止します。"
CHINESE = "有人进入工作区时机器人会停止。"
KOREAN = "사람이 작업 구역에 들어오면 로봇이 멈춥니다."
RTF = "application/rtf"


@dataclass(frozen=True)
class HardFile:
    """A file, and what has to come of it.

    Attributes:
        data: Its bytes, or a function that makes them, if that takes a while.
        text: What the document must contain, if there is to be one.
        reason: What the failure must say, as a pattern, if there is to be none.
    """

    name: str
    content_type: str
    data: bytes | Callable[[], bytes]
    text: str = ""
    reason: str = ""

    def content(self) -> bytes:
        """Returns its bytes."""
        return self.data if isinstance(self.data, bytes) else _made_once(self.data)


@cache
def _made_once(make: Callable[[], bytes]) -> bytes:
    return make()


def all_hard_files() -> list[HardFile]:
    """All of them but the largest."""
    words = f"{HEBREW} {ARABIC} {JAPANESE} {CHINESE} {KOREAN}"
    page = "<html><body><h1>{0}</h1><p>{0}</p></body></html>".format
    no_text = "no text in it"
    password = "protected with a password"
    return [
        HardFile("scan.pdf", sample_files.PDF, scanned_pdf, reason=f"{no_text}.*scan"),
        HardFile(
            "secret.pdf",
            sample_files.PDF,
            partial(sample_files.make_pdf, password="s3cret"),
            reason=password,
        ),
        HardFile("secret.docx", sample_files.DOCX, encrypted_docx, reason=password),
        HardFile(
            "long.pdf",
            sample_files.PDF,
            partial(sample_files.make_pdf, pages=300),
            text="# Inspection part 300",
        ),
        HardFile(
            "drawing.pdf",
            sample_files.PDF,
            partial(drawing_pdf, lines=200_000),
            text="A map of the site",
        ),
        HardFile("cjk.pdf", sample_files.PDF, chinese_pdf, text=CHINESE),
        HardFile("bomb.docx", sample_files.DOCX, docx_bomb, reason="times its size"),
        HardFile("empty.docx", sample_files.DOCX, docx_of(""), reason=no_text),
        HardFile("hebrew.docx", sample_files.DOCX, docx_of(HEBREW), text=HEBREW),
        HardFile("cjk.docx", sample_files.DOCX, docx_of(f"{JAPANESE}{KOREAN}"), text=JAPANESE),
        HardFile("deep.html", "text/html", deep_html(), text="Deep down."),
        HardFile("scripts.html", "text/html", page(words).encode(), text=words),
        HardFile("utf16.html", "text/html", page(words).encode("utf-16"), text=words),
        HardFile("utf16.txt", "text/plain", words.encode("utf-16"), text=words),
        HardFile("utf16.csv", "text/csv", f"a,b\n1,{JAPANESE}\n".encode("utf-16"), text=JAPANESE),
        HardFile("sjis.txt", "text/plain", (JAPANESE * 20).encode("shift_jis"), text=JAPANESE),
        HardFile("gb.txt", "text/plain", (CHINESE * 20).encode("gb18030"), text=CHINESE),
        HardFile(
            "mark.md", "text/markdown", b"\xef\xbb\xbf# Plan\n\nA\0B \xed\xa0\x80C", text="AB C"
        ),
        HardFile("empty.txt", "text/plain", b"", reason="is empty"),
        HardFile("blank.html", "text/html", b"<html><body> </body></html>", reason=no_text),
        HardFile(
            "lie.docx", sample_files.DOCX, sample_files.make_pdf(), text="# Inspection part 1"
        ),
        HardFile("lie.pdf", sample_files.PDF, b"just words", reason="is declared as PDF"),
        HardFile("page.doc", sample_files.DOCX, page("Offer").encode(), text="# Offer"),
        HardFile("lie.txt", "text/plain", sample_files.make_docx(), text="# Travel policy"),
        HardFile("photo.txt", "text/plain", sample_files.PNG, reason="image/png"),
        HardFile("noise.txt", "text/plain", bytes(range(1, 32)) * 20, reason="its bytes are not"),
        HardFile(
            "note.rtf", RTF, rb"{\rtf1\ansi Robots stop.\par Doors open.}", text="Robots stop."
        ),
        HardFile(
            "Google document",
            "application/vnd.google-apps.document",
            sample_files.make_docx(),
            text="# Travel policy",
        ),
        HardFile(
            "Google page",
            "application/vnd.google-apps.document",
            page("Plan").encode(),
            text="# Plan",
        ),
        HardFile(
            "Google sheet",
            "application/vnd.google-apps.spreadsheet",
            b"a,b\n1,2\n",
            text="| 1 | 2 |",
        ),
        HardFile(
            "Google slides",
            "application/vnd.google-apps.presentation",
            sample_files.make_pptx(),
            text="# Goals",
        ),
    ]


def scanned_pdf() -> bytes:
    """A page that is a picture of text."""
    picture = Image.new("L", (600, 800), 255)
    ImageDraw.Draw(picture).text((50, 50), "These words are pixels.")
    buffer = io.BytesIO()
    picture.save(buffer, "PDF")
    return buffer.getvalue()


def drawing_pdf(*, lines: int) -> bytes:
    """A page with so many lines on it that looking for tables would take longer than the limit."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer)
    path = canvas.beginPath()
    path.moveTo(0, 0)
    for number in range(lines):
        path.lineTo(number * 7919 % 500, number * 104729 % 700)
    canvas.drawPath(path)
    canvas.drawString(50, 50, "A map of the site")
    canvas.save()
    return buffer.getvalue()


def chinese_pdf() -> bytes:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    canvas.setFont("STSong-Light", 12)
    canvas.drawString(72, 700, CHINESE)
    canvas.save()
    return buffer.getvalue()


def docx_of(text: str) -> bytes:
    document = docx.Document()
    document.add_paragraph(text)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def encrypted_docx() -> bytes:
    encrypted = io.BytesIO()
    msoffcrypto.format.ooxml.OOXMLFile(io.BytesIO(sample_files.make_docx())).encrypt(
        "s3cret", encrypted
    )
    return encrypted.getvalue()


@cache
def docx_bomb(unpacked: int = 300 * 1024**2) -> bytes:
    """A Word file whose text unpacks to a thousand times its size."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(docx_of("words"))) as whole,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bomb,
    ):
        for entry in whole.infolist():
            if entry.filename != "word/document.xml":
                bomb.writestr(entry, whole.read(entry))
        with bomb.open("word/document.xml", "w") as text:
            for _ in range(unpacked // 1024**2):
                text.write(b" " * 1024**2)
    return buffer.getvalue()


def deep_html(depth: int = 100_000) -> bytes:
    return b"<html><body>" + b"<div>" * depth + b"Deep down." + b"</div>" * depth
