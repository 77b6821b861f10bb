"""A record and the files inside of it are one record of the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from managed_sync import SyncedRecord
from managed_sync.documents import Chunk, Chunker, DocumentLoader, Loaded, SourceDocument
from managed_sync.indexing.diff import diff_record
from managed_sync.indexing.ledger.model import LedgerRecord, RecordJob, RecordStatus
from managed_sync.models import FileContent
from tests.documents.mails import EMAIL, mail
from tests.support.index_target import AbleTarget, Target
from tests.support.indexing import from_scratch, run, syncing
from tests.support.record_source import ChangingSource


class Mails(ChangingSource):
    """A pipeline of e-mails."""

    def _record(self, name: str, integration: str, sync_type: str) -> SyncedRecord:
        record = super()._record(name, integration, sync_type)
        return record.model_copy(update={"data": {**record.data, "name": f"{name}.eml"}})

    def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
        content = super().download_content(record_id, max_bytes=max_bytes)
        return FileContent(data=content.data, content_type=EMAIL)


def written(**files: Any) -> str:
    return mail("Hello.", **files).as_string()


def titles(target: Target) -> list[str]:
    return sorted({str(metadata["title"]) for _, metadata in target.contents().values()})


def test_the_text_of_attachments_is_indexed_under_the_object_id_of_the_mail(
    ledger: Path,
) -> None:
    target = AbleTarget()

    report = run(Mails(a=written(plan_txt=b"Alpha."), b=written()), target, ledger)

    assert report.added == 2
    assert ("file:a", "Alpha.") in target.texts()
    assert {object_id for object_id, _ in target.texts()} == {"file:a", "file:b"}
    assert titles(target) == ["a.eml", "b.eml", "plan.txt"]


def test_a_mail_that_did_not_change_is_not_embedded_again(ledger: Path) -> None:
    source, target = Mails(a=written(plan_txt=b"Alpha.")), AbleTarget()
    run(source, target, ledger)
    source.touch("a")

    report = run(source, target, ledger, full=True)

    assert (report.chunks_embedded, report.deleted) == (0, 0)


def test_only_the_part_that_changed_is_embedded_again(ledger: Path, tmp_path: Path) -> None:
    source, target = Mails(a=written(one_txt=b"Alpha.", two_txt=b"Bravo.")), AbleTarget()
    run(source, target, ledger)
    source.write("a", written(one_txt=b"Alpha.", two_txt=b"Charlie."))

    report = run(source, target, ledger)

    assert (report.updated, report.chunks_embedded) == (1, 1)
    assert target.contents() == from_scratch(source, tmp_path)


def test_a_part_that_vanished_is_deleted_with_the_next_version(
    ledger: Path, tmp_path: Path
) -> None:
    source, target = Mails(a=written(one_txt=b"Alpha.", two_txt=b"Bravo.")), AbleTarget()
    run(source, target, ledger)
    source.write("a", written(two_txt=b"Bravo."))

    run(source, target, ledger)

    assert titles(target) == ["a.eml", "two.txt"]
    assert target.contents() == from_scratch(source, tmp_path)


def test_a_mail_that_is_gone_takes_its_parts_along(ledger: Path) -> None:
    source, target = Mails(a=written(one_txt=b"Alpha."), b=written()), AbleTarget()
    run(source, target, ledger)
    del source.files["a"]

    assert run(source, target, ledger).deleted == 1
    assert {object_id for object_id, _ in target.texts()} == {"file:b"}


def test_verifying_knows_the_chunks_of_parts(ledger: Path) -> None:
    source, target = Mails(a=written(one_txt=b"Alpha.")), AbleTarget()
    sync = syncing(source, target, ledger)
    sync.run(integration="box", sync_type="files")

    report = sync.verify(integration="box", sync_type="files")

    assert report.agrees


def test_a_lost_chunk_of_a_part_is_repaired(ledger: Path) -> None:
    source, target = Mails(a=written(one_txt=b"Alpha.")), AbleTarget()
    sync = syncing(source, target, ledger)
    sync.run(integration="box", sync_type="files")
    (lost,) = [key for key, (text, _) in target.contents().items() if text == "Alpha."]
    target.delete([lost])

    sync.verify(integration="box", sync_type="files", repair=True)

    assert ("file:a", "Alpha.") in target.texts()


class Redacting:
    """A loader of a caller, which knows nothing of parts."""

    def __init__(self, source: ChangingSource) -> None:
        self._loader = DocumentLoader(source, processes=0)

    def load_records(self, records: Iterable[SyncedRecord]) -> Iterator[Loaded]:
        for loaded in self._loader.load_records(records):
            if isinstance(loaded, SourceDocument):
                yield SourceDocument("redacted", loaded.metadata)


def test_a_loader_that_makes_documents_of_its_own_decides_about_parts(ledger: Path) -> None:
    source, target = Mails(a=written(one_txt=b"Secret.")), AbleTarget()

    syncing(source, target, ledger, loader=Redacting(source)).run(
        integration="box", sync_type="files"
    )

    assert target.texts() == {("file:a", "redacted")}


class Interrupted:
    """A loader on a machine that is sometimes too slow for the second attachment of a mail."""

    def __init__(self, source: ChangingSource) -> None:
        self._loader = DocumentLoader(source, processes=0)
        self.is_slow = False

    def load_records(self, records: Iterable[SyncedRecord]) -> Iterator[Loaded]:
        for loaded in self._loader.load_records(records):
            if self.is_slow and isinstance(loaded, SourceDocument):
                interrupted = (f"{loaded.parts[1].path} (the time for this file was over)",)
                yield replace(loaded, parts=loaded.parts[:1], interrupted=interrupted)
            else:
                yield loaded


def test_a_part_that_was_interrupted_keeps_its_old_text_and_is_tried_again(
    ledger: Path, tmp_path: Path
) -> None:
    source, target = Mails(a=written(one_txt=b"Alpha.", two_txt=b"Bravo.")), AbleTarget()
    loader = Interrupted(source)
    sync = syncing(source, target, ledger, loader=loader)
    sync.run(integration="box", sync_type="files")
    source.write("a", written(one_txt=b"Alpha one.", two_txt=b"Bravo."))
    loader.is_slow = True

    report = sync.run(integration="box", sync_type="files")

    (failure,) = report.failed
    assert {text for _, text in target.texts()} >= {"Alpha one.", "Bravo."}
    assert failure.reason == (
        "Not read in a.eml this time: attachments/two.txt (the time for this file was over)"
    )

    loader.is_slow = False
    report = sync.run(integration="box", sync_type="files")

    assert (report.failed, report.chunks_embedded) == ((), 0)
    assert target.contents() == from_scratch(source, tmp_path)


def test_a_new_mail_with_an_interrupted_part_is_found_without_it(ledger: Path) -> None:
    source, target = Mails(a=written(one_txt=b"Alpha.", two_txt=b"Bravo.")), AbleTarget()
    loader = Interrupted(source)
    loader.is_slow = True

    report = syncing(source, target, ledger, loader=loader).run(
        integration="box", sync_type="files"
    )

    assert (report.added, len(report.failed)) == (0, 1)
    assert titles(target) == ["a.eml", "one.txt"]


class OfOneDocument(Chunker):
    """A splitter of a caller, which splits one text."""

    def split(self, document: SourceDocument) -> list[Chunk]:
        assert not document.parts
        return super().split(document)


def test_a_splitter_gets_the_record_and_each_part_by_itself(ledger: Path) -> None:
    source, target = Mails(a=written(one_txt=b"Alpha.", two_txt=b"Alpha.")), AbleTarget()

    syncing(source, target, ledger, chunker=OfOneDocument()).run(
        integration="box", sync_type="files"
    )

    assert titles(target) == ["a.eml", "one.txt", "two.txt"]


def test_the_digest_of_a_record_without_parts_is_the_one_of_earlier_versions() -> None:
    # The digest that this document had before there were parts.
    document = SourceDocument("Text.", {"object_id": "file:1", "record_id": "1"})
    known = LedgerRecord(
        "1",
        title="1",
        digest="fb957d3d0687db077d1e",
        state=RecordStatus.INDEXED,
        version="1",
        chunks={},
    )

    diff = diff_record(RecordJob("1", "2", False), document, known, Chunker().split, None)

    assert diff.is_unchanged
