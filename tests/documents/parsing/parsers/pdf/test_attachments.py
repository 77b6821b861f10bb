from __future__ import annotations

import io
from collections.abc import Mapping

import pypdfium2
import pytest

from managed_sync.documents.parsing import parts
from managed_sync.documents.parsing.registry import FileParser, parse
from tests.documents.pdf_files import SENTENCE, story, words


def with_files(files: Mapping[str, bytes], text: str = SENTENCE) -> bytes:
    document = pypdfium2.PdfDocument(story(words(text)))
    for name, data in files.items():
        document.new_attachment(name).set_data(data)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def test_the_files_attached_to_a_document_are_parts_of_it() -> None:
    files = {"plan.txt": b"The cell moves in May.", "load.csv": b"Robot,Load\nArm,40\n"}
    read = parse(with_files(files), filename="arm.pdf")
    assert read == f"{SENTENCE.strip()}\n\n- load.csv\n- plan.txt\n"
    assert {part.path: part.text.strip() for part in read.parts} == {
        "attachments/plan.txt": "The cell moves in May.",
        "attachments/load.csv": "| Robot | Load |\n| --- | --- |\n| Arm | 40 |",
    }
    assert not read.unread


def test_documents_attached_to_each_other_are_read_to_the_inmost_one() -> None:
    inner = with_files({"note.txt": b"Torque is 12 Nm."}, "The second document.")
    read = parse(with_files({"inner.pdf": inner}), filename="arm.pdf")
    assert [(part.path, part.text.split("\n")[0]) for part in read.parts] == [
        ("attachments/inner.pdf", "The second document."),
        ("attachments/inner.pdf/attachments/note.txt", "Torque is 12 Nm."),
    ]


def test_an_attachment_that_cannot_be_read_is_named() -> None:
    read = parse(
        with_files({"broken.pdf": b"%PDF-1.7 nothing", "a.txt": b"read"}), filename="a.pdf"
    )
    assert "Attachment: broken.pdf (not read: it is damaged)" in read
    assert [part.path for part in read.parts] == ["attachments/a.txt"]


def test_an_attachment_larger_than_what_is_left_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "MAX_UNPACKED", 100)
    read = parse(with_files({"large.txt": b"x" * 101}), filename="a.pdf")
    assert "Attachment: large.txt (not read: it would unpack to more than 100 bytes)" in read
    assert not read.parts


def test_a_parser_that_reads_scans_keeps_the_attachments() -> None:
    pytest.importorskip("kreuzberg")
    parser = FileParser(ocr=("eng",))
    read = parser.read_file(with_files({"a.txt": b"read"}), content_type="", filename="a.pdf")
    assert [part.path for part in read.parts] == ["attachments/a.txt"]
