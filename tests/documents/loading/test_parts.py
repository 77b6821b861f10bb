"""Attachments as documents: always with the object id of their record, never with another's."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import fields, replace
from email.message import EmailMessage
from typing import Any

import pytest

from managed_sync.documents import (
    Chunker,
    DocumentLoader,
    FilePart,
    LoadProgress,
    SourceDocument,
    adocuments_only,
    documents_only,
)
from managed_sync.errors import DocumentError
from managed_sync.models import FileContent
from tests.documents.mails import EMAIL, mail
from tests.documents.text_files import file_record, load
from tests.support.record_source import RecordSource

OF_THE_RECORD = ("object_id", "record_id", "source_id", "integration", "sync_type", "project_id")


def mail_file(message: EmailMessage) -> FileContent:
    return FileContent(data=message.as_bytes(), content_type=EMAIL)


def source_of(*messages: EmailMessage) -> RecordSource:
    numbered = list(enumerate(messages, start=1))
    return RecordSource(
        [file_record(number, name=f"mail {number}.eml", mimeType=EMAIL) for number, _ in numbered],
        {f"r{number}": mail_file(message) for number, message in numbered},
    )


def document_of(message: EmailMessage) -> SourceDocument:
    (document,) = load(source_of(message), processes=0)
    assert isinstance(document, SourceDocument)
    return document


def test_every_document_of_a_mail_has_the_permissions_of_its_record() -> None:
    inner = mail("Inner.", subject="Inner", deep_txt=b"Deep.")

    documents = list(document_of(mail(plan_md=b"# Plan", other=inner)).documents())

    assert len(documents) == 4
    for name in OF_THE_RECORD:
        assert len({each.metadata[name] for each in documents}) == 1
    assert {each.object_id for each in documents} == {"file:r1"}


def test_a_part_is_titled_by_its_name_and_names_its_mail() -> None:
    record, part = document_of(mail(plan_md=b"# Plan")).documents()

    assert "part" not in record.metadata
    assert "parent_title" not in record.metadata
    assert part.metadata == {
        **record.metadata,
        "title": "plan.md",
        "mime_type": "text/markdown",
        "parent_title": "mail 1.eml",
        "part": "attachments/plan.md",
    }


def test_no_name_in_a_file_sets_metadata() -> None:
    data = (
        b"Subject: Plan\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: text/plain; object_id=file:r2; part=x; record_id=r2\r\n"
        b"object_id: file:r2\r\n"
        b"Content-Disposition: attachment; object_id=file:r2; "
        b"filename*0*=utf-8''a%0D%0Aobject_id:%20file:r2; filename*1=.txt\r\n\r\n"
        b"Text.\r\n--b--\r\n"
    )
    record = file_record(1, name="mail 1.eml", mimeType=EMAIL)
    source = RecordSource([record], {"r1": FileContent(data=data, content_type=EMAIL)})

    (document,) = load(source, processes=0)

    assert isinstance(document, SourceDocument)
    (part,) = list(document.documents())[1:]

    assert part.object_id == "file:r1"
    assert set(part.metadata) == {
        *OF_THE_RECORD,
        *("title", "mime_type", "updated_at", "parent_title", "part"),
    }
    assert part.metadata["part"] == "attachments/a object_id: file:r2.txt"


def test_a_part_has_no_place_for_an_object_id() -> None:
    assert {each.name for each in fields(FilePart)} == {
        *("text", "path", "title", "mime_type", "tables_html")
    }


def test_a_document_whose_object_id_changes_takes_its_parts_along() -> None:
    document = document_of(mail(plan_md=b"# Plan"))

    moved = replace(document, metadata={**document.metadata, "object_id": "file:other"})

    assert {each.object_id for each in moved.documents()} == {"file:other"}


def test_two_parts_cannot_have_the_same_path() -> None:
    part = FilePart("Text.", "a.txt", "a.txt")
    with pytest.raises(DocumentError, match=r"two parts of file:1 have the same one"):
        SourceDocument("Text.", {"object_id": "file:1"}, (part, part))


def test_one_record_is_one_result_and_counts_once() -> None:
    seen: list[LoadProgress] = []
    source = source_of(mail(a_txt=b"A.", b_txt=b"B."), mail(c_txt=b"C."))

    results = load(source, processes=0, on_progress=seen.append)

    assert [result.record_id for result in results] == ["r1", "r2"]
    assert [progress.loaded for progress in seen] == [1, 2]


def test_documents_only_yields_each_part_once_after_its_record() -> None:
    source = source_of(mail(a_txt=b"A.", b_txt=b"B."), mail(c_txt=b"C."))
    loader = DocumentLoader(source, processes=0)

    documents = list(
        documents_only(loader.load("box", "files"), failures=[], raise_on_failure=False)
    )

    assert [each.title for each in documents] == [
        *("mail 1.eml", "a.txt", "b.txt"),
        *("mail 2.eml", "c.txt"),
    ]
    assert not any(each.parts for each in documents)

    async def ones() -> list[SourceDocument]:
        loaded = adocuments_only(loader.aload("box", "files"), failures=[], raise_on_failure=False)
        return [each async for each in loaded]

    assert asyncio.run(ones()) == documents


def test_the_splitter_gives_the_chunks_of_a_record_and_its_parts_different_ids() -> None:
    message = mail("Same.", a_txt=b"Equal text.", b_txt=b"Equal text.")

    chunks = Chunker().split(document_of(message))

    assert [chunk.title for chunk in chunks] == ["mail 1.eml", "a.txt", "b.txt"]
    assert chunks[1].text == chunks[2].text == "Equal text."
    assert len({chunk.chunk_id for chunk in chunks}) == 3
    assert {chunk.object_id for chunk in chunks} == {"file:r1"}
    assert chunks == Chunker().split(
        document_of(mail("Same.", a_txt=b"Equal text.", b_txt=b"Equal text."))
    )


def test_the_ids_of_chunks_of_a_record_do_not_depend_on_its_parts() -> None:
    document = document_of(mail("Text.", a_txt=b"A."))

    assert Chunker().split(document)[0] == Chunker().split(replace(document, parts=()))[0]


def test_the_chunks_of_a_part_have_its_offsets_and_tables() -> None:
    document = document_of(mail(rows_csv=b"city,km\nOslo,12\n"))

    _, chunk = Chunker().split(document)

    (part,) = document.parts
    start, end = int(chunk.metadata["start_char"]), int(chunk.metadata["end_char"])
    assert part.text[start:end] == chunk.text
    assert "<td>Oslo</td>" in str(chunk.metadata["tables_html"])


def test_parts_that_are_not_read_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    files: dict[str, Any] = {f"bad{number}_pdf": b"%PDF-1.7 broken" for number in range(7)}
    with caplog.at_level(logging.WARNING, "managed_sync"):
        document_of(mail(**files))

    (message,) = [each.getMessage() for each in caplog.records if "Not read" in each.getMessage()]
    assert message.startswith("Not read in mail 1.eml: attachments/bad0.pdf (")
    assert message.endswith("and 2 more")
