"""The sample company holds enough documents, in many formats, and all of them are readable."""

from __future__ import annotations

import csv
import email
import email.policy
import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import docx
import kreuzberg
import openpyxl
import pptx
import pytest

from managed_sync.sample_company import company_folder

FILES = company_folder() / "files"
PATHS = sorted(path for path in FILES.rglob("*") if path.is_file())
RECORDS = {"contacts": 30, "deals": 20, "tickets": 40}


def of_format(suffix: str) -> list[Path]:
    return [path for path in PATHS if path.suffix == suffix]


def lines_of(kind: str) -> list[dict[str, Any]]:
    text = (company_folder() / f"{kind}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_there_are_at_least_64_files_in_nine_formats_with_four_of_each() -> None:
    formats = Counter(path.suffix for path in PATHS)
    assert len(PATHS) >= 64
    assert set(formats) == {
        *(".md", ".txt", ".html", ".csv", ".docx", ".pptx", ".xlsx", ".pdf", ".eml")
    }
    assert min(formats.values()) >= 4


def test_folders_are_three_levels_deep() -> None:
    assert max(len(path.relative_to(FILES).parents) - 1 for path in PATHS) >= 3


def test_all_of_it_is_smaller_than_four_megabytes() -> None:
    assert sum(path.stat().st_size for path in company_folder().rglob("*")) < 4_000_000


def test_names_are_valid_on_every_platform_and_some_are_not_ascii() -> None:
    names = [path.relative_to(FILES).as_posix() for path in PATHS]
    assert all(unicodedata.is_normalized("NFC", name) for name in names)
    assert not [name for name in names if re.search(r'[<>:"\\|?*]|[. ](/|$)', name)]
    assert len({name.lower() for name in names}) == len(names)
    for script in ("GREEK", "CJK", "HIRAGANA|KATAKANA|CJK", "WITH DIAERESIS"):
        assert any(
            re.search(script, unicodedata.name(letter, "")) for name in names for letter in name
        )
    assert any(" " in name for name in names)


@pytest.mark.parametrize("path", of_format(".pdf"), ids=lambda path: path.stem)
def test_a_pdf_has_several_pages_and_each_has_text(path: Path) -> None:
    config = kreuzberg.ExtractionConfig(pages=kreuzberg.PageConfig(extract_pages=True))
    result = kreuzberg.extract_bytes_sync(path.read_bytes(), "application/pdf", config)
    texts = [page["content"] for page in result.pages]
    assert len(texts) >= 2
    assert all(len(text.split()) > 40 for text in texts)


@pytest.mark.parametrize("path", of_format(".pptx"), ids=lambda path: path.stem)
def test_a_presentation_has_titled_slides_a_table_and_notes(path: Path) -> None:
    slides = list(pptx.Presentation(str(path)).slides)
    assert len(slides) >= 5
    assert all(slide.shapes.title.text for slide in slides)
    assert any(shape.has_table for slide in slides for shape in slide.shapes)
    assert any(slide.has_notes_slide for slide in slides)


@pytest.mark.parametrize("path", of_format(".docx"), ids=lambda path: path.stem)
def test_a_word_document_has_headings_of_two_levels_and_a_table(path: Path) -> None:
    document = docx.Document(str(path))
    levels = {
        paragraph.style.name
        for paragraph in document.paragraphs
        if paragraph.style.name.startswith("Heading")
    }
    assert {"Heading 1", "Heading 2"} <= levels
    assert document.tables


@pytest.mark.parametrize("path", of_format(".xlsx"), ids=lambda path: path.stem)
def test_a_workbook_has_several_sheets_and_numbers(path: Path) -> None:
    workbook = openpyxl.load_workbook(path)
    assert len(workbook.sheetnames) >= 3
    cells = [
        cell for sheet in workbook for row in sheet.iter_rows(values_only=True) for cell in row
    ]
    assert sum(isinstance(cell, int | float) for cell in cells) >= 15


@pytest.mark.parametrize("path", of_format(".eml"), ids=lambda path: path.stem)
def test_an_email_has_a_sender_a_date_and_the_same_text_twice(path: Path) -> None:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert message["from"].addresses
    assert message["date"].datetime
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert len(plain.get_content().split()) > 150
    assert plain.get_content().splitlines()[0] in html.get_content()


@pytest.mark.parametrize("path", of_format(".csv"), ids=lambda path: path.stem)
def test_a_table_has_as_many_cells_in_each_row_as_in_its_header(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert len(rows) >= 8
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize(
    "path", [*of_format(".md"), *of_format(".txt"), *of_format(".html")], ids=lambda path: path.stem
)
def test_a_text_is_long_enough_to_be_worth_searching(path: Path) -> None:
    assert len(re.findall(r"\w+", path.read_text(encoding="utf-8"))) >= 200


@pytest.mark.parametrize("kind", RECORDS)
def test_records_are_many_have_their_own_ids_and_text(kind: str) -> None:
    records = lines_of(kind)
    assert len(records) >= RECORDS[kind]
    assert len({record["id"] for record in records}) == len(records)
    text_field = {"contacts": "notes", "deals": "description", "tickets": "description"}[kind]
    assert all(record[text_field] for record in records)
    assert all(isinstance(record["customFields"], dict) for record in records)


def test_deals_name_contacts_that_exist() -> None:
    contacts = {contact["id"] for contact in lines_of("contacts")}
    named = {name for deal in lines_of("deals") for name in deal["contactIds"]}
    assert named
    assert named <= contacts


def test_tickets_and_deals_carry_remarks_of_several_people() -> None:
    for kind, field in (("tickets", "comments"), ("deals", "notes")):
        remarks = [remark for record in lines_of(kind) for remark in record[field]]
        assert len(remarks) >= 20
        assert len({remark["author"] for remark in remarks}) >= 3
        assert all(remark["body"] and remark["createdAt"] for remark in remarks)
