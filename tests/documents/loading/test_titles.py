"""A record has one title: in its text, its metadata, every report, citations and frameworks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from managed_sync.documents import (
    DocumentLoader,
    LoadFailure,
    RecordTemplate,
    SourceDocument,
    record_title,
)
from managed_sync.errors import NotFoundError
from managed_sync.langchain import ManagedSyncLoader
from managed_sync.llama_index import ManagedSyncReader
from managed_sync.models import SyncedRecord
from managed_sync.retrieval.citations import position
from tests.documents.text_files import text_file
from tests.support.record_source import RecordSource

FOLDER = "inode/directory"


class Numbered:
    """A template of a caller that is no ``RecordTemplate`` and has titles of its own."""

    def title(self, record: SyncedRecord) -> str:
        return f"No. {record.data['number']}"

    def __call__(self, record: SyncedRecord) -> str:
        return f"# {self.title(record)}\n\nPaid.\n"


class Untitled(RecordTemplate):
    """A template whose titles cannot be had."""

    def title(self, record: SyncedRecord) -> str:
        raise KeyError("number")


TEMPLATES: Mapping[str, Any] = {
    "invoices": RecordTemplate(titles=("number",)),
    "orders": Numbered(),
    "notes": lambda record: "Some text.",
    "broken": Untitled(),
}


def record(sync_type: str, source_id: str = "", **data: Any) -> SyncedRecord:
    return SyncedRecord(
        id="r1", integration="x", sync_type=sync_type, source_id=source_id, data=data
    )


RECORDS = [
    (record("files", name="plan.txt"), "plan.txt"),
    (record("files", "/Plans/2026/plan.txt"), "plan.txt"),
    (record("files"), "r1"),
    (record("files", name="a\0\ud83d.txt"), "a\ufffd\ufffd.txt"),
    (record("files", name="Plans", mimeType=FOLDER), "Plans"),
    (record("files", "/Plans/2026", mimeType=FOLDER), "/Plans/2026"),
    (record("files", mimeType=FOLDER), "r1"),
    (record("contacts", firstName="Ada", lastName="Byron"), "Ada Byron"),
    (record("contacts", email="ada@x.example"), "ada@x.example"),
    (record("deals", name=" Crane\n 7 "), "Crane 7"),
    (record("tickets", subject="Stuck"), "Stuck"),
    (record("tickets", "T-1", status="open"), "T-1"),
    (record("tickets", status="open"), "r1"),
    (record("pages", title="Home"), "Home"),
    (record("invoices", number="R-7", name="row 7"), "R-7"),
    (record("orders", number=7, name="row 7"), "No. 7"),
    (record("notes", name="Note"), "Note"),
]


@pytest.mark.parametrize(("record", "title"), RECORDS)
def test_every_kind_of_record_has_one_title_everywhere(record: SyncedRecord, title: str) -> None:
    client = RecordSource([record], {"r1": text_file("Some text.")})
    options: Any = {"processes": 0, "templates": TEMPLATES, "include_folders": True}
    where: Any = {"integration": "x", "sync_type": record.sync_type}
    loader = DocumentLoader(client, **options)
    langchain = ManagedSyncLoader(client, **where, **options)
    llama_index = ManagedSyncReader(client, **where, **options)

    (document,) = loader.load_records([record])

    assert isinstance(document, SourceDocument)
    assert document.metadata["title"] == title
    assert {
        document.title,
        record_title(record, TEMPLATES),
        loader.title(record),
        loader.describe(record)["title"],
        position(document.metadata),
        langchain.title(record),
        next(langchain.lazy_load()).metadata["title"],
        llama_index.title(record),
        llama_index.load_data()[0].metadata["title"],
    } == {title}
    if document.text.startswith("# "):
        assert document.text.splitlines()[0] == f"# {title}"


@pytest.mark.parametrize(
    "record", [each for each, _ in RECORDS if each.data.get("mimeType") is None]
)
def test_a_failure_has_the_title_that_the_document_would_have(record: SyncedRecord) -> None:
    if record.sync_type != "files":
        templates = {record.sync_type: _failing(TEMPLATES.get(record.sync_type))}
    else:
        templates = {}
    client = RecordSource([record], {"r1": NotFoundError("gone", status=404)})
    loader = DocumentLoader(client, processes=0, templates=templates)

    (failure,) = loader.load_records([record])

    assert isinstance(failure, LoadFailure)
    assert failure.title == record_title(record, templates) == loader.describe(record)["title"]


def _failing(template: Any) -> Any:
    """The template, or this package's, which does not get to write any text."""
    kind = type(template) if hasattr(template, "title") else RecordTemplate

    class Failing(kind):  # type: ignore[misc, valid-type]
        def __call__(self, record: SyncedRecord) -> str:
            raise ValueError("no text")

    return Failing()


def test_a_template_whose_title_fails_leaves_it_to_the_default_and_stops_no_other_record() -> None:
    records = [record("broken", name="Row 7"), record("contacts", email="ada@x.example")]

    failure, document = DocumentLoader(
        RecordSource([], {}), processes=0, templates=TEMPLATES
    ).load_records(records)

    assert isinstance(failure, LoadFailure)
    assert failure.title == "Row 7"
    assert isinstance(document, SourceDocument)
