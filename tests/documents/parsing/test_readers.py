"""Tests that each parser has a reader for each type of file, and that readers work together."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace

import pytest

from managed_sync.documents.parsing.file_types import FileType
from managed_sync.documents.parsing.readers import (
    KREUZBERG,
    OWN,
    UNSTRUCTURED,
    File,
    Reader,
    with_ocr,
    with_pdf_strategy,
)

every_table = pytest.mark.parametrize("readers", [OWN, KREUZBERG, UNSTRUCTURED])


def _shouted(file: File) -> str:
    return file.text().upper()


@every_table
def test_every_type_but_pictures_has_a_reader(readers: Mapping[FileType, Reader]) -> None:
    assert set(FileType) - set(readers) == {FileType.IMAGE}
    assert set(with_ocr(readers, ("eng",))) == set(FileType)


@every_table
def test_the_readers_can_go_to_a_worker_process(readers: Mapping[FileType, Reader]) -> None:
    changed = with_ocr(with_pdf_strategy(readers, "fast", ("eng",)), ("eng",))
    assert set(pickle.loads(pickle.dumps(changed))) == set(changed)  # noqa: S301 - of this test


def test_a_page_inside_of_a_file_is_read_by_the_reader_of_the_parser_for_pages() -> None:
    readers = {**OWN, FileType.HTML: _shouted}
    file = File(b"", FileType.EMAIL, "a.eml", "", "a.eml", readers)
    assert file.read_html("<p>Hi</p>", name="a.eml") == "<P>HI</P>"
    assert file.read_embedded(b"<html>Hi</html>", "text/html", "b.html") == "<HTML>HI</HTML>"


def test_a_file_within_a_word_file_is_left_out_unless_word_shows_its_text() -> None:
    file = File(b"", FileType.DOCX, "a.docx", "", "a.docx", OWN)
    assert file.read_embedded(b"a,b\n1,2\n", "text/csv", "b.csv") == ""
    assert file.read_embedded(b"Hi", "text/plain", "b.txt") == "Hi"


def test_the_charset_of_the_source_comes_before_that_of_the_page() -> None:
    page = '<meta charset="iso-8859-5"><p>Привет</p>'.encode("koi8-r")
    file = File(page, FileType.HTML, "a.html", "text/html; charset=koi8-r", "a.html", OWN)
    assert "Привет" in file.text()
    assert "Привет" not in replace(file, content_type="text/html").text()
